"""What takes audit records over TLS: a server of its own, with the TLS of the standard library."""

import socket
import ssl
import threading

import trustme


class Receiver:
    """Takes connections one after the other, on 127.0.0.1; `clients` issued the certificates it demands.

    `hangs_up`: after the first that it gets on each. `received` is what came over TLS.
    """

    def __init__(
        self, certificate: trustme.LeafCert, clients: trustme.CA | None = None, *, hangs_up: bool = False
    ) -> None:
        self._hangs_up = hangs_up
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self._context)
        if clients is not None:
            clients.configure_trust(self._context)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        self.peers: list[object] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    self.peers.append(connection.getpeercert())
                    while data := connection.recv(4096):
                        self.received.append(data)
                        if self._hangs_up:
                            break
            except OSError:
                plain.close()

    def wait_for(self, count: int) -> list[bytes]:
        """Return what was received once it is so much, within a minute."""
        for _ in range(6000):
            if len(self.received) >= count:
                return self.received
            self._thread.join(0.01)
        raise AssertionError(f"{self.received} after a minute")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
