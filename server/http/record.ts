/** What is known of a request beside its answer: whoever knows more of it adds that to the interface. */
import type { Nanos } from "../../device/clock.ts";
import type { RouteFacts } from "./route-facts.ts";

export interface RequestRecord {
  /** When its headers were there. */
  readonly began: Nanos;
  /** Absent: turned away before, or a path nobody serves. */
  route?: RouteFacts;
  id?: string;
  ignored?: readonly string[];
  /** Bytes of a stream so far. */
  streamedBytes?: number;
  /** Told of each write of a stream, where that is kept. */
  wrote?: () => void;
  /** What was answered instead of what was asked for. */
  error?: string;
}

declare module "fastify" {
  interface FastifyRequest {
    record: RequestRecord;
  }
}
