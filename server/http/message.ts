/**
 * A request that asks to upgrade to anything but a WebSocket (`h2c`, by Java's
 * HttpClient and `curl --http2`) is an ordinary request: HTTP lets a server ignore the
 * wish, and Node, once anybody listens for upgrades, does not.
 */
import { IncomingMessage } from "node:http";

/** Requests that the parser marked; kept apart, since the base constructor sets the mark. */
const asked = new WeakSet<IncomingMessage>();

export class PlainMessage extends IncomingMessage {
  /** Node's parser sets it, and asks for it once the headers are there. */
  get upgrade(): boolean {
    return asked.has(this) && this.headers.upgrade?.toLowerCase() === "websocket";
  }

  set upgrade(wish: boolean | null) {
    if (wish) asked.add(this);
    else asked.delete(this);
  }
}
