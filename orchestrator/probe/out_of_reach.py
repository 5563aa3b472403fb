"""The questions that the catalogue cannot ask of one disposable pair: why not, and how a person finds the answer.

Nothing outside the catalogue is ever sent, so that no question is worth a cmdlet that could do harm elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutOfReach:
    """One such question. ``instead`` is what a person does in a test forest to find out."""

    id: str
    asks: str
    why: str
    instead: str


OUT_OF_REACH: tuple[OutOfReach, ...] = (
    OutOfReach(
        "operations_on_standalone",
        "What do Start, Complete, Undo and Reset do to a dMSA in state 3?",
        "only Set-ADServiceAccount -Replace makes a standalone dMSA, and the catalogue does not have it",
        "set msDS-DelegatedMSAState of a dMSA that nobody needs to 3, send each of the four, and read both objects "
        "after each",
    ),
    OutOfReach(
        "operation_on_mismatched_pair",
        "What do Complete, Undo and Reset answer for two objects that do not name each other?",
        "it takes a second pair, and one is what was given",
        "start two disposable pairs, and send the three with the dMSA of one and the account of the other",
    ),
    OutOfReach(
        "start_of_other_accounts",
        "Is a computer, an inetOrgPerson, a privileged account or one of another domain refused?",
        "it takes accounts that nobody should link to try",
        "make one of each kind in a forest that is thrown away afterwards, and send Start for each",
    ),
    OutOfReach(
        "right_to_migrate",
        "Which right does the operation ask for?",
        "it takes a second operator who lacks it; this one has it, or is denied",
        "send Start as an account that owns both objects and is in no group, then give it one right after the other",
    ),
    OutOfReach(
        "operation_events",
        "Which events does a domain controller log for an operation, done or refused?",
        "they stand in the log Directory Service, which the catalogue does not read",
        "once the questions were asked, run Get-WinEvent -LogName 'Directory Service' on the domain controller that "
        "answered, for the estate_time in the result",
    ),
    OutOfReach(
        "client_events",
        "Which events does a host log about a dMSA (307, 308, 309, 314, 315), and what are their fields called?",
        "the catalogue reads id and time of the first three; nobody logs on as the pair, and events arrive without XML",
        "on a host, (Get-WinEvent -ListProvider Microsoft-Windows-Security-Kerberos).Events shows id and template, "
        "with the names of the fields, of every event that it can log",
    ),
    OutOfReach(
        "unequal_of_empty_field",
        "Does a query with != find an event whose field is empty, as NTLM without a workstation leaves it?",
        "it takes a log that holds such events, and the logs of a disposable forest hold few",
        "on a domain controller compare how many events *[System[EventID=4776]] finds, and the same with "
        "and EventData[Data[@Name='Workstation']!='no-such-name'] after System[...]; they should be equally many",
    ),
    OutOfReach(
        "realm_list_value",
        "In which registry value does the policy for dMSA log-ons keep its list of realms?",
        "of that key the catalogue reads DelegatedMSAEnabled and no other value",
        "look for the policy in Kerberos.admx under C:\\Windows\\PolicyDefinitions, or set it on one host, with a "
        "list, and read the key",
    ),
    OutOfReach(
        "test_of_dmsa",
        "What does Test-ADServiceAccount say of a dMSA?",
        "it is about the host on which it runs, and needs a module that hosts rarely have; the catalogue is without it",
        "run it on a host that is among the principals, and on one that is not, before and after Complete",
    ),
    OutOfReach(
        "other_workloads",
        "Do application pools, SQL Server, scheduled tasks and clusters work with a migrated account?",
        "nothing runs as the disposable account, and nothing that runs may be stopped to try",
        "let one of each run as an account of its own on a test host, migrate that account, and restart it after each "
        "step",
    ),
    OutOfReach(
        "service_log_on",
        "Does a service go on under its old log-on name after Complete, or must it be pointed to the dMSA?",
        "nothing runs as the disposable account",
        "migrate an account with one service, restart the service after Complete, and read its StartName and State",
    ),
    OutOfReach(
        "host_releases",
        "Do dMSA log-ons work on Windows 11 24H2, or on Windows Server 2025 only?",
        "it takes a log-on on a host of each release, and the pair is asked on a domain controller",
        "let a service of a started pair log on on a host of each release, and see which of them become principals",
    ),
    OutOfReach(
        "superseded_by_user",
        "Does the KDC name the dMSA in its reply already while a pair is started, or only once it is completed?",
        "it stands in Kerberos messages, and the catalogue sends none",
        "record a log-on of the account at 1/1 and one at 2/2 (pktmon, Wireshark), and look for PA-DATA 170",
    ),
    OutOfReach(
        "groups_in_ticket",
        "Does the ticket of a dMSA carry the groups of the account that it supersedes?",
        "it stands in tickets, and the catalogue asks for none",
        "after Complete, let a service use what only a group of the account may; or see its groups in event 4627",
    ),
    OutOfReach(
        "schema_updates",
        "What do the schema updates 89 to 91 write?",
        "they stand in files of the installation medium, and the catalogue reads no file",
        "read sch89.ldf, sch90.ldf and sch91.ldf in the folder support\\adprep of a medium of Windows Server 2025",
    ),
    OutOfReach(
        "update_of_august_2025",
        "What does the update for CVE-2025-53779 ask of a pair beyond that each names the other?",
        "it takes a link that somebody forged, and the catalogue writes no link",
        "in a forest that is thrown away afterwards, write link and states by hand, one after the other, and log on",
    ),
)
