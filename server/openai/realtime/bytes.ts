/** What realtime conversations hold of memory: bounded for each socket and for all together. */
import { RealtimeError } from "./errors.ts";

/** Of one socket, and of all. */
const SOCKET_BYTES = 16 * 2 ** 20;
const ALL_BYTES = 256 * 2 ** 20;

export class RealtimeBytes {
  readonly #socketBytes: number;
  readonly #allBytes: number;
  #held = 0;

  constructor(socketBytes = SOCKET_BYTES, allBytes = ALL_BYTES) {
    this.#socketBytes = socketBytes;
    this.#allBytes = allBytes;
  }

  get held(): number {
    return this.#held;
  }

  open(): SocketBytes {
    return new SocketBytes((bytes, own) => {
      if (bytes > 0 && own > this.#socketBytes) {
        throw tooMuch(`A conversation holds ${this.#socketBytes} bytes at most.`);
      }
      if (bytes > 0 && this.#held + bytes > this.#allBytes) {
        throw tooMuch("All conversations of this server hold too much; try again later.");
      }
      this.#held += bytes;
    });
  }
}

/** What one socket holds. */
export class SocketBytes {
  readonly #take: (bytes: number, own: number) => void;
  #own = 0;

  constructor(take: (bytes: number, own: number) => void) {
    this.#take = take;
  }

  /** Holds so many more, or less where negative. Throws RealtimeError where that is too much. */
  change(bytes: number): void {
    this.#take(bytes, this.#own + bytes);
    this.#own += bytes;
  }

  /** The socket is closed. */
  release(): void {
    this.change(-this.#own);
  }
}

function tooMuch(message: string): RealtimeError {
  return new RealtimeError("conversation_too_large", `${message} Delete some items first.`);
}
