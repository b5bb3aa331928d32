/**
 * A request that asks to upgrade to anything but a WebSocket (`h2c`, by Java's
 * HttpClient and `curl --http2`) is an ordinary request: HTTP lets a server ignore the
 * wish, and Node, once anybody listens for upgrades, does not.
 */
import { IncomingMessage } from "node:http";

const ASKED = Symbol("the parser marked it");

export class PlainMessage extends IncomingMessage {
  /** Set while the base is constructed: no field may be made after it. */
  declare [ASKED]: boolean;

  /** Node's parser sets it, and asks for it once the headers are there. */
  get upgrade(): boolean {
    return this[ASKED] && this.headers.upgrade?.toLowerCase() === "websocket";
  }

  set upgrade(wish: boolean | null) {
    this[ASKED] = wish === true;
  }
}
