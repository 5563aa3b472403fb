"""Durable orchestration of dMSA migrations: plans in, waves out, and a way back from everywhere."""

__version__ = "0.1.0"
