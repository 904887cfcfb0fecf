"""What `fab doctor` asks, and what it makes of the answers.

Pure: questions.py says which commands a node is asked, facts.py holds the answers, and each other
module judges one part of the lab. A check's name says where it was made.
"""
