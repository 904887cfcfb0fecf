"""Brings lab.yml's one web service to the two machines, as `fab deploy` does with each: run in the
machines' own clone, by `python -m tests.vm.wire`.

Not `fab deploy` itself, which begins with the registry, the databases and the balancers.
"""

from lab.context import Lab
from lab.deploy.publishing import source_release
from lab.deploy.services import lay, start_service

# Until an emulated machine's containers are healthy.
SECONDS = 1800


def main() -> None:
    lab = Lab()
    release = source_release(lab, None)
    (service,) = lab.topology.web
    lay(lab, release, service, serving=())
    start_service(lab, release, service, seconds=SECONDS)


main()
