"""The article's model of a post (webapp_django/files_django/posts/models_cassandra.py).

Of the lab's own table, so that both list the very same rows: by the account's id and the month,
where the article's table has the account's name alone. The article lists all posts; here they are
as many as on a page of the lab's.
"""

from cassandra.auth import PlainTextAuthProvider
from cassandra.cqlengine import columns, connection
from cassandra.cqlengine.models import Model
from django.conf import settings

KEYSPACE = "posts_db"

connection.setup(
    settings.CASSANDRA_NODES,
    KEYSPACE,
    auth_provider=PlainTextAuthProvider("django", settings.CASSANDRA_PASSWORD),
)
session = connection.get_session()
session.set_keyspace(KEYSPACE)


class PostModel(Model):
    __table_name__ = "posts_of_accounts"

    account = columns.BigInt(partition_key=True)
    month = columns.Integer(partition_key=True)
    creation = columns.TimeUUID(primary_key=True, clustering_order="desc", db_field="id")
    content = columns.Text(required=True)
    username = columns.Text(db_field="written_as")

    @classmethod
    def select_user_latest_with_date(cls, account):
        return session.execute(
            """
            SELECT written_as AS username, id AS creation, toTimestamp(id) AS creation_date, content
            FROM posts_of_accounts
            WHERE account=%s AND month=%s
            ORDER BY id DESC
            LIMIT 20
            """,
            [account, settings.MONTH],
        )
