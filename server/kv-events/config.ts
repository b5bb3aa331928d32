/** `--kv-events-config`, vLLM's KVEventsConfig: names and defaults as there. */
import type { JsonObject } from "../settings/row.ts";

export interface KvEventsConfig {
  /** Where batches are published. Bound when it names a wildcard, `::`, ipc or inproc; else connected to. */
  readonly endpoint: string;
  /** Where past batches can be asked for; absent: nowhere. */
  readonly replayEndpoint?: string;
  /** Batches kept for replay. */
  readonly bufferSteps: number;
  /** Messages kept for a subscriber that does not keep up; more are dropped. */
  readonly highWaterMark: number;
  /** Batches waiting to be sent; more are dropped, and missed as a gap in the numbers. */
  readonly maxQueueSize: number;
  readonly topic: string;
}

const KEYS = new Set([
  "enable_kv_cache_events",
  "publisher",
  "endpoint",
  "replay_endpoint",
  "buffer_steps",
  "hwm",
  "max_queue_size",
  "topic",
]);

/** Undefined: nothing is published. Throws an Error that names the key that is wrong. */
export function readKvEventsConfig(given: JsonObject | undefined): KvEventsConfig | undefined {
  if (given === undefined) return undefined;
  const unknown = Object.keys(given).find((key) => !KEYS.has(key));
  if (unknown !== undefined) {
    throw new Error(`unknown key "${unknown}"; known: ${[...KEYS].join(", ")}.`);
  }
  const enabled = given["enable_kv_cache_events"] ?? false;
  if (typeof enabled !== "boolean") throw wrong("enable_kv_cache_events", "true or false", enabled);
  const publisher = given["publisher"] ?? (enabled ? "zmq" : "null");
  if (publisher !== "zmq" && publisher !== "null") {
    throw wrong("publisher", '"zmq" or "null"', publisher);
  }
  const replay = given["replay_endpoint"] ?? undefined;
  const config: KvEventsConfig = {
    endpoint: text(given, "endpoint", "tcp://*:5557"),
    ...(replay !== undefined && { replayEndpoint: text(given, "replay_endpoint", "") }),
    bufferSteps: count(given, "buffer_steps", 10_000),
    highWaterMark: count(given, "hwm", 100_000),
    maxQueueSize: count(given, "max_queue_size", 100_000),
    topic: text(given, "topic", ""),
  };
  return enabled && publisher === "zmq" ? config : undefined;
}

/** The configuration of a rank in vLLM's words, for those that look for its events. */
export function kvEventSource(config: KvEventsConfig, rank: number): object {
  const { replayEndpoint: replay } = config;
  return {
    enable_kv_cache_events: true,
    publisher: "zmq",
    endpoint: endpointOfRank(config.endpoint, rank),
    replay_endpoint: replay === undefined ? null : endpointOfRank(replay, rank),
    buffer_steps: config.bufferSteps,
    hwm: config.highWaterMark,
    max_queue_size: config.maxQueueSize,
    topic: config.topic,
    // Of the wire, as vllm-router wants to know it before it subscribes; vLLM 0.32 does not tell.
    encoding: "msgpack",
    schema_version: 1,
  };
}

/** As vLLM: each data-parallel rank has a port of its own, counted up from the first. */
export function endpointOfRank(endpoint: string, rank: number): string {
  if (rank === 0) return endpoint;
  if (endpoint.startsWith("inproc://")) return `${endpoint}_dp${rank}`;
  const found = /^(tcp:.*:)(\d+)$/.exec(endpoint);
  if (found === null) {
    throw new Error(`endpoint "${endpoint}" needs a port number to serve several engines.`);
  }
  return `${found[1]}${Number(found[2]) + rank}`;
}

function text(given: JsonObject, key: string, fallback: string): string {
  const value = given[key] ?? fallback;
  if (typeof value === "string") return value;
  throw wrong(key, "a text", value);
}

function count(given: JsonObject, key: string, fallback: number): number {
  const value = given[key] ?? fallback;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(key, "a whole number", value);
}

function wrong(key: string, expected: string, found: unknown): Error {
  return new Error(`${key} must be ${expected}, not ${JSON.stringify(found)}.`);
}
