"""Files on other machines: object stores, web servers, SFTP."""
