"""Plan -> the files a host reads. Pure: text in, text out."""

from infra.render.chart import cost_chart
from infra.render.cloudinit import cloud_init
from infra.render.credentials import secret_files, secrets_of
from infra.render.environment import endpoints, everything, host_files
from infra.render.gateways import cloud_init_gateway, gateway_secrets, gateway_settings, gateway_toml
from infra.render.inventory import KNOWN_AFTER_UP, inventory
from infra.render.picture import picture
from infra.render.server import server_toml
from infra.render.units import units

__all__ = [
    "KNOWN_AFTER_UP",
    "cloud_init",
    "cloud_init_gateway",
    "cost_chart",
    "endpoints",
    "everything",
    "gateway_secrets",
    "gateway_settings",
    "gateway_toml",
    "host_files",
    "inventory",
    "picture",
    "secret_files",
    "secrets_of",
    "server_toml",
    "units",
]
