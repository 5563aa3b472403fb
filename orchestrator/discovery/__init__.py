"""Where accounts are used: how hosts and the directory are asked, what was found, the plan drafted from it. Pure."""

from orchestrator.discovery.account_course import account_course, computers_course, domain_course, names_course
from orchestrator.discovery.decisions import Decision, decisions
from orchestrator.discovery.draft import draft
from orchestrator.discovery.found import AccountFound, ComputerLeft, Discovered, HostFound, WorkloadFound, counted
from orchestrator.discovery.host_course import host_course
from orchestrator.discovery.named import Named, is_dn, named_course
from orchestrator.discovery.spelling import Domain, Identity, Spellings

__all__ = [
    "AccountFound",
    "ComputerLeft",
    "Decision",
    "Discovered",
    "Domain",
    "HostFound",
    "Identity",
    "Named",
    "Spellings",
    "WorkloadFound",
    "account_course",
    "computers_course",
    "counted",
    "decisions",
    "domain_course",
    "draft",
    "host_course",
    "is_dn",
    "named_course",
    "names_course",
]
