"""Where predictions go: one class for each kind of outlet, and ``OutletSpec``, which is any of them."""

from __future__ import annotations

from drivetrain.core.outlets.databases import SqlOutlet

OutletSpec = SqlOutlet
