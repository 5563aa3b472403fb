"""The only room that touches Windows: a closed catalogue, a gate before the wire, and PowerShell Remoting."""
