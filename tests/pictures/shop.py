"""A run that has something to show: a farm of four whose restarts take a while, one that waits, one that is held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PLAN = """\
version: 1
name: shop
change: CHG0040021
owner: web-platform@corp.example
estate: {lab: estates/shop.yaml}
waves:
  - name: pilot
    migrations:
      - account: CN=svc-batch,OU=Service Accounts,DC=corp,DC=example
        dmsa: {name: dmsa-batch, dns_host_name: dmsa-batch.corp.example, path: "OU=Managed,DC=corp,DC=example"}
        hosts: [{name: app02.corp.example, services: [BatchRunner]}]
  - name: web
    at_once: 2
    windows:
      start: {days: [mon, tue, wed, thu], open: "20:00", close: "23:30", zone: Europe/Berlin}
    migrations:
      - account: CN=svc-sync,OU=Service Accounts,DC=corp,DC=example
        dmsa: {name: dmsa-sync, dns_host_name: dmsa-sync.corp.example, path: "OU=Managed,DC=corp,DC=example"}
        hosts: [{name: db01.corp.example, services: [DirSync]}]
      - account: CN=svc-www,OU=Service Accounts,DC=corp,DC=example
        dmsa: {name: dmsa-www, dns_host_name: dmsa-www.corp.example, path: "OU=Managed,DC=corp,DC=example"}
        hosts:
          - {name: web01.corp.example, services: [ShopFront]}
          - {name: web02.corp.example, services: [ShopFront]}
          - {name: web03.corp.example, services: [ShopFront]}
          - {name: web04.corp.example, services: [ShopFront]}
      - account: CN=svc-web,OU=Service Accounts,DC=corp,DC=example
        dmsa: {name: dmsa-web, dns_host_name: dmsa-web.corp.example, path: "OU=Managed,DC=corp,DC=example"}
        hosts: [{name: app03.corp.example, services: [WebFront]}]
  - name: erp
    migrations:
      - account: CN=svc-erp,OU=Service Accounts,DC=corp,DC=example
        dmsa: {name: dmsa-erp, dns_host_name: dmsa-erp.corp.example, path: "OU=Managed,DC=corp,DC=example"}
        hosts: [{name: app02.corp.example, services: [ErpApi, ErpQueue]}]
"""
SLOW = ("web03.corp.example", "web04.corp.example")
TAKES = "10s"
"""How long a restart takes there, in real time: long enough for a picture, whatever else the machine does."""


def lay_out(folder: Path) -> None:
    """Write the plan, and its estate: that of the quick start, with the web servers of the farm."""
    estate, farm = (_estate(folder, name) for name in ("quickstart", "web-farm"))
    estate["name"] = "shop"
    estate["users"] += farm["users"]
    estate["hosts"] += [{**host, "app_pools": []} for host in farm["hosts"]]
    estate["weather"] = [
        {"kind": "slow", "when": {"cmdlet": "Restart-Service", "host": host}, "takes": TAKES} for host in SLOW
    ]
    (folder / "plans" / "estates" / "shop.yaml").write_text(yaml.safe_dump(estate), encoding="utf-8")
    (folder / "plans" / "shop.yaml").write_text(PLAN, encoding="utf-8")


def _estate(folder: Path, name: str) -> dict[str, Any]:
    text = (folder / "plans" / "estates" / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
