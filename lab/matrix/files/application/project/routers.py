"""As in the article: whoever has just written reads what a replica may not have yet."""


class HAProxyRouter:
    def db_for_read(self, model, **hints):
        return "read_only"

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, first, second, **hints):
        return True

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return True
