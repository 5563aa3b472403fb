"""Which migrations a verb is about, and who says so."""

from __future__ import annotations

import os
import socket
import sys

from orchestrator.errors import InputInvalid
from orchestrator.model.dn import same_dn
from orchestrator.model.plan import Plan


def select(plan: Plan, only: str | None) -> tuple[str, ...]:
    """Return the ids that ``--only`` names: a wave's, a dMSA's, or that of an account's DN; without it, all.

    Raises:
        InputInvalid: nothing in the plan has that name.
    """
    if only is None:
        return tuple(migration.id for migration in plan.migrations())
    for wave in plan.waves:
        if wave.name == only:
            return tuple(migration.id for migration in wave.migrations)
    for migration in plan.migrations():
        if migration.id.lower() == only.lower() or ("=" in only and _same(migration.account, only)):
            return (migration.id,)
    names = [wave.name for wave in plan.waves] + [migration.id for migration in plan.migrations()]
    raise InputInvalid(f"--only {only}: {plan.name} has no such wave, dMSA or account. It has {', '.join(names[:20])}")


def _same(one: str, other: str) -> bool:
    try:
        return same_dn(one, other)
    except ValueError:
        return False


def speaker(plan: Plan, as_: str | None) -> str:
    """Return who speaks: the account of this process, or on a simulated estate whoever ``--as`` names.

    Raises:
        InputInvalid: ``--as`` on a real estate, or without a name.
    """
    if as_ is None:
        return who()
    if not plan.is_lab:
        raise InputInvalid(
            f"--as {as_}: on a real estate it is the operating system that says who speaks. Nothing was done. Take "
            "--as away, and let the other person run the command."
        )
    if not as_.strip() or not as_.isprintable():
        raise InputInvalid("--as needs a name. Nothing was done.")
    return as_.strip()


def this_runner() -> str:
    """Return by what name this process holds a journal's lease."""
    return f"{who()}@{socket.gethostname()} pid {os.getpid()}"


def who() -> str:
    """Return the operating system's account of this process; never an environment variable, for those can be set."""
    if sys.platform == "win32":
        import ctypes

        size = ctypes.c_ulong(0)
        secur32 = ctypes.windll.secur32
        sam_compatible = 2
        secur32.GetUserNameExW(sam_compatible, None, ctypes.byref(size))
        name = ctypes.create_unicode_buffer(size.value)
        if not secur32.GetUserNameExW(sam_compatible, name, ctypes.byref(size)):
            raise InputInvalid("Windows does not say which account runs this process")
        return name.value
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def principal() -> str | None:
    """Return the Kerberos principal of this process, None where there is none; it is noted, and decides nothing."""
    if sys.platform == "win32":
        import ctypes

        size = ctypes.c_ulong(256)
        name = ctypes.create_unicode_buffer(size.value)
        user_principal = 8
        known = ctypes.windll.secur32.GetUserNameExW(user_principal, name, ctypes.byref(size))
        return name.value if known else None
    from orchestrator.remote.tickets import held

    return held()
