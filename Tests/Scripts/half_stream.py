"""Sends a registration over HTTP/2 whose stream does not end (RFC 9113), and cancels it.

    half_stream.py PORT reset|leave BODY [clear]

`reset` resets only the stream, and waits for the answer to another one; `leave` closes the
connection. With `clear` there is no TLS. Prints "done" at the end.
"""
import socket
import ssl
import struct
import sys

DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS, CANCEL = 1, 4, 8


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def fields(*pairs):
    """The fields as literals without indexing and with new names (RFC 7541 section 6.2.2)."""
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in pairs)


def head(method, path, *more):
    return fields((":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *more)


def answered(connection, stream):
    """Reads until that stream is answered."""
    buffer = b""
    while True:
        while len(buffer) < 9 or len(buffer) < 9 + int.from_bytes(buffer[:3], "big"):
            bytes_read = connection.recv(65536)
            if not bytes_read:
                sys.exit("the connection has ended")
            buffer += bytes_read
        length = int.from_bytes(buffer[:3], "big")
        if buffer[3] == HEADERS and int.from_bytes(buffer[5:9], "big") == stream:
            return
        buffer = buffer[9 + length:]


port, end, body = int(sys.argv[1]), sys.argv[2], sys.argv[3].encode()
connection = socket.create_connection(("127.0.0.1", port))
if sys.argv[4:] != ["clear"]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    connection = context.wrap_socket(connection, server_hostname="localhost")
with connection:
    connection.settimeout(120)
    connection.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
        + frame(HEADERS, END_HEADERS, 1, head("POST", "/api/users", ("content-type", "application/json")))
        + frame(DATA, 0, 1, body))
    # The server has read the body when it answers a later request.
    connection.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 3, head("GET", "/health/live")))
    answered(connection, 3)
    if end == "reset":
        connection.sendall(
            frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL))
            + frame(HEADERS, END_HEADERS | END_STREAM, 5, head("GET", "/health/live")))
        answered(connection, 5)
print("done")
