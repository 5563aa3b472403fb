"""A plan file -> a valid plan, or every problem in it at once with its position. Opens nothing else."""

from orchestrator.planfile.digest import as_kept, canonical, digest, plan_of
from orchestrator.planfile.load import Loaded, load_plan, parse_plan
from orchestrator.planfile.problem import PlanInvalid, Problem
from orchestrator.planfile.schema import json_schema

__all__ = [
    "Loaded",
    "PlanInvalid",
    "Problem",
    "as_kept",
    "canonical",
    "digest",
    "json_schema",
    "load_plan",
    "parse_plan",
    "plan_of",
]
