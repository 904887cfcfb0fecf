"""Which accounts were removed whose posts are still there."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="RemovedAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.BigIntegerField()),
                ("username", models.CharField(max_length=150)),
                ("removed", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
