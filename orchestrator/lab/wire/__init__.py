"""The simulated estate on real ports: a WSMan/PSRP server for unmodified clients.

``server`` puts every host of an estate on its own loopback address, ``http`` speaks TLS, HTTP and
authentication, ``wsman`` the SOAP operations, ``shell`` and ``psrp`` the runspace pools and pipelines behind
them, ``clixml`` and ``incoming`` the values. What a cmdlet *does* is none of its business: that is the
:class:`~orchestrator.lab.wire.engine.Engine` it is given.
"""
