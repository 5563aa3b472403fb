"""A preview: what is read for it, what is predicted, and how a prediction is held against what was done. Pure."""

from orchestrator.preview.against import Held, held_against
from orchestrator.preview.look import Looked, asks, looked
from orchestrator.preview.prediction import (
    ENABLED,
    Change,
    Ending,
    Obstacle,
    Prediction,
    Restart,
    Sent,
    WayBack,
    unknown_guid,
)

__all__ = [
    "ENABLED",
    "Change",
    "Ending",
    "Held",
    "Looked",
    "Obstacle",
    "Prediction",
    "Restart",
    "Sent",
    "WayBack",
    "asks",
    "held_against",
    "looked",
    "unknown_guid",
]
