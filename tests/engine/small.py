"""Blueprints as small as they can be: an operation on one takes two seconds or three."""

from __future__ import annotations

from typing import Final

KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILwiFfXW+Nw0238y3SFUIwFHFeLQWk1/8nxMVEOXBhjh replace-me@example.com"
_ANY: Final = f"""\
name: acme
k: 2
m: 1
survive: drive
accounts: [main]
storage: {{hosts_per_zone: 1, drives_per_host: 4}}
gateways: {{per_zone: 0}}
network: {{flow_log: false, nat: false, oss_endpoint: false}}
ssh_public_key: {KEY}
"""
ONE: Final = f"""\
blueprint: one
summary: One host of one zone, and nothing that can be left out
{_ANY}balancer: {{kind: none}}
tier: {{enabled: false}}
regions:
  - {{name: cn-hangzhou, zones: [cn-hangzhou-h], cidr: 10.40.0.0/16}}
"""
ENTRANCE: Final = f"""\
blueprint: entrance
summary: Two zones, as a balancer needs
{_ANY}tier: {{enabled: false}}
regions:
  - {{name: cn-hangzhou, zones: [cn-hangzhou-h, cn-hangzhou-j], cidr: 10.40.0.0/16}}
"""
FIRST: Final = "cn-shanghai"
SECOND: Final = "cn-beijing"
TWO: Final = f"""\
blueprint: two
summary: A region that takes writes and one that follows, joined, with one name
{_ANY}regions:
  - {{name: {FIRST}, role: primary, zones: [cn-shanghai-l, cn-shanghai-m], cidr: 10.40.0.0/16}}
  - {{name: {SECOND}, role: replica, zones: [cn-beijing-h, cn-beijing-k], cidr: 10.41.0.0/16}}
interconnect: {{kind: cen, bandwidth_mbps: 10}}
dns: {{domain: example.com, record: s3, ttl_s: 600}}
"""
ROOM: Final = """\
blueprint: room
summary: A machine room that reaches its bucket over the Internet
name: acme
k: 2
m: 1
survive: drive
accounts: [main]
hosts: [{name: room-1, zone: rack-a, drives: 3, address: 192.168.10.11}]
regions:
  - {name: cn-hangzhou, role: backup, zones: [cn-hangzhou-h], cidr: 10.40.0.0/16}
onprem:
  cidr: 192.168.10.0/24
  gateway_address: 203.0.113.10
  path: custom-domain
  domain: cold.example.com
  certificate: 12345678-cn-hangzhou
dns: {domain: example.com}
network: {flow_log: false, nat: false}
"""
