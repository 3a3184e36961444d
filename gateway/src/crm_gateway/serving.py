"""The gateway as processes of its own, from the environment."""

import sys

from crm_gateway.gateway import Gateway, create_gateway
from crm_gateway.proxy.front import Front
from crm_gateway.proxy.http_upstream import HttpUpstream
from crm_gateway.settings import GatewaySettings
from crm_shared.observability.logs import configure_logs
from crm_shared.runtime.http_server import serve
from crm_shared.settings import API, UnsafeSettings, refuse_published_secrets


def serve_gateway() -> None:
    """Serve until asked to stop."""
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] # the environment fills it
    try:
        refuse_published_secrets(settings, part=API)
    except UnsafeSettings as reason:
        sys.exit(str(reason))
    configure_logs(settings.log_level)

    def make() -> Gateway:
        return create_gateway(settings, {name: HttpUpstream(base) for name, base in settings.upstreams.items()})

    serve(
        make,
        settings,
        metrics_port=settings.metrics_port,
        http=Front,
        ws="none",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )
