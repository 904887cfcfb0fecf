"""As in the article; see lab/matrix/article.py."""
