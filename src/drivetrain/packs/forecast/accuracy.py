"""Gates of forecasting: the error of each item by itself, so that an item that sells much does not hide the others."""

import numpy as np


def rmsse(evidence):
    """The mean over items of the root mean squared error in swings, which is RMSSE (Hyndman & Koehler 2006; M5)."""
    return float(_errors(evidence).mean())


def weighted_rmsse(evidence):
    """The same, each item weighted by its revenue up to the origin."""
    return float(np.average(_errors(evidence), weights=_first(evidence, "revenue")))


def _errors(evidence):
    squares = np.square(evidence.label - evidence.score)
    _, item = np.unique(evidence.test.entity.to_numpy(), return_inverse=True)
    return np.sqrt(np.bincount(item, squares) / np.bincount(item))


def _first(evidence, name):
    _, first = np.unique(evidence.test.entity.to_numpy(), return_index=True)
    return evidence.test.kept[name].to_numpy()[first]
