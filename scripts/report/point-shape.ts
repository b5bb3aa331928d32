/** Is something that a file holds a point? All that is read of one is there, and of its kind. */
import type { Point } from "./point.ts";

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
/** Files write null where a number is none. */
const isNumber: Check = (value) => typeof value === "number" || value === null;
const isFlag: Check = (value) => typeof value === "boolean";
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const allOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);
const shaped =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const same = (names: readonly string[], check: Check): Readonly<Record<string, Check>> =>
  Object.fromEntries(names.map((name) => [name, check]));

const isQuantiles = shaped(same(["mean", "median", "std", "p90", "p95", "p99", "p999"], isNumber));

const FIELDS: Readonly<Record<keyof Point, Check>> = {
  identity: allOf(isText),
  ...same(["series", "model", "framework", "instance"], isText),
  ...same(["kernels", "precision", "speculation"], isText),
  simulated: isFlag,
  ...same(["tensorParallel", "dataParallel", "chips"], orAbsent(isNumber)),
  expertParallel: orAbsent(isFlag),
  prefill: orAbsent(
    shaped({ ...same(["workers", "tensorParallel", "chips"], isNumber), instance: isText }),
  ),
  ...same(["inputLen", "outputLen", "concurrency", "requests", "warmups", "seed"], isNumber),
  ...same(["duration", "completed", "failed", "meanUserRate", "preemptions"], isNumber),
  ...same(["requestThroughput", "inputThroughput"], isNumber),
  ...same(["outputThroughput", "totalThroughput"], isNumber),
  latency: shaped(same(["ttft", "tpot", "itl", "e2el"], isQuantiles)),
  parts: orAbsent(allOf(isNumber)),
  band: orAbsent(shaped({ ...same(["low", "high", "factor"], isNumber), tier: isText })),
  notices: (value) => Array.isArray(value) && value.every(shaped({ code: isText, text: isText })),
} as Readonly<Record<keyof Point, Check>>; // `same` gives its fields without their names

const check = shaped(FIELDS);

export const isPoint = (value: unknown): value is Point => check(value);
