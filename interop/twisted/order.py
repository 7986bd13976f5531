"""A client in raw mode with the framing Uint32: order.py PORT"""

import sys

import msgpack
from twisted.internet import endpoints, protocol, reactor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.basic import Int32StringReceiver
from zope.interface import implementer


@implementer(IHalfCloseableProtocol)  # else Twisted drops what it has to send when the peer has ended
class Orders(Int32StringReceiver):
    MAX_LENGTH = 1 << 20  # the library's; Twisted's own is 99,999

    def connectionMade(self):
        order = {"ID": 2**53 + 1, "Price": 5.0, "Placed": msgpack.Timestamp(1767323045, 123456789), "Note": None, "Blob": b"\xff"}
        self.sendString(msgpack.packb(order))

    def stringReceived(self, payload):
        order = msgpack.unpackb(payload, raw=False, strict_map_key=False, timestamp=0)
        placed, note = order["Placed"], order["Note"]
        print(order["ID"], f"{order['Price']:g}", placed.seconds, placed.nanoseconds, note, str(order["Blob"] is None).lower())
        self.transport.loseWriteConnection()  # no more comes from here: the peer may go on

    def readConnectionLost(self):
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass

    def connectionLost(self, reason):
        reactor.stop()


endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1])).connect(protocol.Factory.forProtocol(Orders))
reactor.run()
