"""Files that lie afar, in object stores and on web and SFTP servers: listed there, fetched one at a time to be read."""
