"""`python -m crm_suite.deployment compose | kubernetes`: fresh secrets of an installation, to standard output."""

import argparse
import sys

import orjson

from crm_suite.deployment.secrets import compose_variables, kubernetes_secrets


def main() -> None:
    """Print what was asked for; nothing is kept."""
    parser = argparse.ArgumentParser(prog="python -m crm_suite.deployment", description=__doc__)
    targets = parser.add_subparsers(dest="target", required=True)
    targets.add_parser("compose", help="the .env beside docker-compose.yml")
    kubernetes = targets.add_parser("kubernetes", help="a list of Secrets for `kubectl apply -f -`")
    kubernetes.add_argument("--namespace", default="corkscrew")
    kubernetes.add_argument("--database-host", default="{service}-postgres", help="default: %(default)s")
    kubernetes.add_argument("--bus-url", default="kafka://kafka:9092", help="default: %(default)s")
    asked = parser.parse_args()
    if asked.target == "compose":
        lines = [f"{name}='{value}'" for name, value in compose_variables().items()]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    made = kubernetes_secrets(namespace=asked.namespace, database_host=asked.database_host, bus_url=asked.bus_url)
    sys.stdout.write(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n")


if __name__ == "__main__":
    main()
