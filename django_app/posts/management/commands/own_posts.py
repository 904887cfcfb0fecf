"""Takes over what older releases wrote, once none of them serves any more."""

from django.core.management.base import BaseCommand

from posts import by_name, removal, store
from posts.taking_over import SLOW, ids_by_name, told


class Command(BaseCommand):
    help = "Gives each post to its author's account. Only while no older release serves."
    requires_system_checks = []

    def handle(self, *args: object, **options: object) -> None:
        session = store.connect(SLOW)
        try:
            # Before: what an account left behind is not nobody's.
            removal.work_off()
            taken = by_name.take_over(session, ids_by_name)
            removal.note_gone()
            self.stdout.write(f"posts: {told(taken)}")
            by_name.finish(session)
        finally:
            session.session.cluster.shutdown()
