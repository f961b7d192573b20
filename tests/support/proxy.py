"""The TCP proxy of the fault kit, which every test may use."""

from tools.faults.proxy import Proxy

__all__ = ["Proxy"]
