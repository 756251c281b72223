"""HTTP as the server speaks it: HTTP/1.1 and HTTP/2 on uvloop, with every limit in one place.

The head of a request is parsed by llhttp (through httptools), HTTP/2 by h2; what is written here is what frames a
message, how long anybody may take, and how an answer goes out. Nothing here knows what is asked.
"""
