"""A typed client of a prediction service: ``from drivetrain.client import Client``."""

from drivetrain.client.answers import Answer, Label, Prediction, Reason
from drivetrain.client.blocks import Row, Value
from drivetrain.client.client import Client

__all__ = ["Answer", "Client", "Label", "Prediction", "Reason", "Row", "Value"]
