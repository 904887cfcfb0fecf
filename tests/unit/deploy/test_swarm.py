"""The Swarm stack as a Compose file: what makes it work on these nodes, as literal values."""

import pytest
import yaml

from lab.config.topology import TopologyError
from lab.plan import plans
from lab.plan.modes import overlay
from lab.plan.site import Site
from lab.release import images
from lab.secrets.secrets import GENERATED
from tests.unit.delivered import LAB

TAGS = dict.fromkeys(images.IMAGES, "0123456789ab")
SECRETS = {name: f"value of {name}" for name in GENERATED} | {
    "registry.crt": "certificate",
    "registry.key": "key",
    "registry_ca.crt": "authority",
}
STACK = LAB.with_overlay()
SITE = Site(STACK, images.references(LAB.registry, TAGS), SECRETS, "20261124-0815-abcdef")
COMPOSE = yaml.safe_load(overlay.compose_file(SITE))
DJANGO, NGINX = COMPOSE["services"]["django"], COMPOSE["services"]["nginx"]


def test_django_runs_anywhere_and_says_where():
    assert DJANGO["image"] == "ubuntu1:5000/webapp_django:0123456789ab"
    assert DJANGO["environment"]["APP_NODE"] == "{{.Node.Hostname}}"
    assert DJANGO["environment"]["APP_MODE"] == "overlay"
    assert (DJANGO["deploy"]["mode"], DJANGO["deploy"]["replicas"]) == ("replicated", 3)
    assert DJANGO["deploy"]["update_config"] == {
        "parallelism": 1,
        "order": "start-first",
        "failure_action": "rollback",
        "monitor": "5s",
    }
    assert "ports" not in DJANGO


def test_django_is_told_of_other_ways_to_the_site():
    settings = LAB.settings.model_copy(update={"origins": ("https://lab.example.org",)})
    stack = STACK.model_copy(update={"settings": settings})
    site = Site(stack, SITE.images, SECRETS, SITE.release)
    django = yaml.safe_load(overlay.compose_file(site))["services"]["django"]
    assert django["environment"]["APP_CSRF_TRUSTED_ORIGINS"] == "https://lab.example.org"
    assert django["environment"]["APP_ALLOWED_HOSTS"].endswith(",ubuntu4,lab.example.org")


def test_nginx_finds_django_by_its_tasks_and_publishes_on_its_own_node():
    assert NGINX["environment"]["UWSGI_URI"] == "tasks.webapp_django:29000"
    assert NGINX["ports"] == [{"target": 80, "published": 80, "mode": "host"}]
    assert NGINX["deploy"]["mode"] == "global"
    assert NGINX["deploy"]["placement"] == {"constraints": ["node.labels.lab.nginx == yes"]}
    assert NGINX["deploy"]["update_config"]["order"] == "stop-first"


@pytest.mark.parametrize("service", [DJANGO, NGINX], ids=["django", "nginx"])
def test_both_are_confined_as_in_every_other_mode(service):
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    # Neither a virtual address (no IPVS) nor Compose's own tmpfs (ignored) would work.
    assert service["deploy"]["endpoint_mode"] == "dnsrr"
    assert "tmpfs" not in service
    assert {"type": "tmpfs", "target": "/run"} in service["volumes"]
    assert service["stop_grace_period"] == "40s"
    assert service["healthcheck"] == {"interval": "10s", "retries": 3}


def test_limits_are_those_of_lab_yml():
    assert DJANGO["deploy"]["resources"] == {"limits": {"cpus": "1", "memory": "384M", "pids": 64}}
    assert NGINX["labels"]["lab.write"] == str(20 * 2**20)


def test_secrets_are_swarm_s_and_change_their_name_with_their_value():
    assert "value of" not in overlay.compose_file(SITE)
    assert [secret["target"] for secret in DJANGO["secrets"]] == [
        "django_secret_key",
        "mysql_django_password",
        "cassandra_django_password",
    ]
    assert {secret["mode"] for secret in DJANGO["secrets"]} == {0o400}
    other = Site(STACK, SITE.images, SECRETS | {"django_secret_key": "another"}, SITE.release)
    before, after = overlay.secrets(SITE), overlay.secrets(other)
    assert [name for name in before if before[name] != after[name]] == ["django_secret_key"]


def test_nodes_without_a_balancer_run_nginx_and_the_first_three_manage():
    assert STACK.nginx_nodes == ("ubuntu1", "ubuntu2")
    assert overlay.managers(STACK) == ("ubuntu1", "ubuntu2", "ubuntu3")
    web_cfg = next(
        file.content
        for container in plans.plan(SITE, "ubuntu3").containers
        for file in container.reads
        if file.path.endswith("web.cfg")
    )
    servers = [line.split()[1] for line in web_cfg.splitlines() if line.startswith("    server ")]
    assert servers == ["ubuntu1", "ubuntu2"]


def test_no_container_of_the_nodes_own_is_the_web_s():
    for node in STACK.names:
        assert not plans.plan(SITE, node).services & plans.WEB


def test_a_lab_whose_nodes_all_balance_has_no_room_for_nginx():
    lab = LAB.model_copy(
        update={
            "settings": LAB.settings.model_copy(
                update={"nodes": {n: LAB.settings.nodes[n] for n in LAB.settings.balancers}}
            )
        }
    )
    with pytest.raises(TopologyError) as error:
        lab.with_overlay()
    assert error.value.mistakes == [
        "--mode: overlay: every node runs a balancer, which has port 80"
    ]
