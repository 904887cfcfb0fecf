"""What all wirings share: the containers of Django and nginx, but for how the two meet."""

from __future__ import annotations

from dataclasses import replace

from lab.config.modes import MODES, PROGRAMS
from lab.config.origins import host
from lab.config.ports import MYSQL_PORT, MYSQL_READ_PORT, WEB_PORT
from lab.config.topology import WebService
from lab.plan.records import AddressOf, Container, File, Mount, Plan, Publication, Volume
from lab.plan.site import Site, secrets_folder

SERVICES = frozenset(PROGRAMS)

STATIC_VOLUME = Volume("webapp_static", disposable=True)
SHARED_STATIC = Mount(STATIC_VOLUME.name, "/shared")
RELEASE_FILE, STATIC_SET_FILE = "/etc/lab/release/release", "/etc/lab/release/static_set"
DJANGO_SECRETS = ("django_secret_key", "mysql_django_password", "cassandra_django_password")
DJANGO_MOUNTS = (
    Mount("/etc/lab/release", "/run/lab"),
    Mount(secrets_folder("django"), "/run/secrets"),
)

# Longer than uWSGI's harakiri and nginx's time-outs, so that requests in flight are answered.
STOP_SECONDS = 40


def name(program: str, mode: str) -> str:
    return f"{program}-{mode}-1"


def told(site: Site) -> tuple[File, ...]:
    """Tells Django its release, and the static set whose files pages name, without a restart."""
    return (
        File(RELEASE_FILE, site.release + "\n"),
        File(STATIC_SET_FILE, static_set(site) + "\n"),
    )


def static_set(site: Site) -> str:
    """The name of the release's static set: the tag of its image."""
    return site.images["webapp_static"].rsplit(":", 1)[1]


def django(
    site: Site,
    service: WebService,
    *,
    network: str = "bridge",
    publications: tuple[Publication, ...] = (),
    socket: str = "",
) -> Container:
    """Django behind uWSGI, which listens on its port, or on a Unix socket if there is one."""
    topology = site.topology
    listening = (("APP_UWSGI_SOCKET", socket),) if socket else ()
    return Container(
        name=name("django", service.mode),
        service="django",
        mode=service.mode,
        image=site.images["webapp_django"],
        limit=topology.limits.django,
        network=network,
        publications=publications,
        environment=(*django_environment(site, service.django, service.mode), *listening),
        mounts=(replace(SHARED_STATIC, writable=bool(socket)), *DJANGO_MOUNTS),
        reads=django_secrets(site),
        files=told(site),
        static_set=site.images["webapp_static"],
        stop_seconds=STOP_SECONDS,
    )


def django_secrets(site: Site) -> tuple[File, ...]:
    return site.secret_files("django", *DJANGO_SECRETS)


def django_environment(site: Site, node: str, mode: str) -> tuple[tuple[str, str], ...]:
    """The settings that are the same wherever Django runs, and where this one does."""
    topology = site.topology
    origins = topology.settings.origins
    hosts = (topology.virtual_address, *topology.addresses(topology.names), *topology.names)
    hosts = tuple(dict.fromkeys((*hosts, *map(host, origins))))
    trusted = (("APP_CSRF_TRUSTED_ORIGINS", ",".join(origins)),) if origins else ()
    return (
        ("APP_NODE", node),
        ("APP_MODE", mode),
        ("APP_ALLOWED_HOSTS", ",".join(hosts)),
        *trusted,
        ("APP_SECRET_KEY_FILE", "/run/secrets/django_secret_key"),
        ("APP_MYSQL_HOST", topology.virtual_address),
        ("APP_MYSQL_WRITE_PORT", str(MYSQL_PORT)),
        ("APP_MYSQL_READ_PORT", str(MYSQL_READ_PORT)),
        # Two are enough: the driver learns the others from them.
        ("APP_CASSANDRA_NODES", ",".join(topology.addresses(topology.settings.cassandra[:2]))),
    )


def nginx(
    site: Site,
    service: WebService,
    uwsgi: str | AddressOf,
    *,
    network: str = "bridge",
) -> Container:
    """nginx, which is told where uWSGI is."""
    topology = site.topology
    folder = MODES[service.mode].static_folder
    return Container(
        name=name("nginx", service.mode),
        service="nginx",
        mode=service.mode,
        image=site.images["webapp_nginx"],
        limit=topology.limits.nginx,
        network=network,
        publications=(Publication(topology.address(service.nginx), WEB_PORT),),
        environment=(("UWSGI_URI", uwsgi), nginx_proxies(site)),
        mounts=(Mount(folder, f"{SHARED_STATIC.target}/static_root") if folder else SHARED_STATIC,),
        stop_seconds=STOP_SECONDS,
    )


def nginx_proxies(site: Site) -> tuple[str, str]:
    """The balancers alone may say for which client they ask."""
    topology = site.topology
    balancers = topology.addresses(topology.settings.balancers)
    return ("NGINX_TRUSTED_PROXIES", ",".join(balancers))


def all_in_one(site: Site, service: WebService) -> Container:
    """Both in one container."""
    topology = site.topology
    return Container(
        name=name("allinone", service.mode),
        service="allinone",
        mode=service.mode,
        image=site.images["webapp_allinone"],
        limit=topology.limits.allinone,
        publications=(Publication(topology.address(service.nginx), WEB_PORT),),
        environment=(
            *django_environment(site, service.django, service.mode),
            nginx_proxies(site),
        ),
        mounts=(SHARED_STATIC, *DJANGO_MOUNTS),
        reads=django_secrets(site),
        files=told(site),
        static_set=site.images["webapp_static"],
        stop_seconds=STOP_SECONDS,
    )


def on_one_node(*containers: Container, networks: tuple[str, ...] = ()) -> Plan:
    """Both halves on one node, sharing the static files through a named volume."""
    return Plan(
        containers=containers,
        networks=networks,
        volumes=(STATIC_VOLUME,),
    )


def publish_static(site: Site, name: str, serving: tuple[str, ...]) -> tuple[str, ...]:
    """Lays a static set into a node's volume, beside those that are there.

    name: the set's; serving: the sets whose files pages name until then.
    """
    image = site.images["webapp_static"].removesuffix(static_set(site)) + name
    return (
        *("docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"),
        *("--volume", f"{STATIC_VOLUME.name}:/shared", image, name, *serving),
    )
