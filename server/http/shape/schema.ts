/** A schema as the checks read it, and what a check knows while it runs. */
import type { Complaint, Complaints } from "./complaint.ts";

export interface ShapeSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, ShapeSchema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, ShapeSchema>>;
  readonly additionalProperties?: ShapeSchema | boolean;
  readonly items?: ShapeSchema;
  readonly anyOf?: readonly ShapeSchema[];
  readonly not?: object;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly format?: string;
  readonly title?: string;
  readonly "x-model"?: "typed-dict" | "dataclass";
  readonly "x-instance"?: string;
  readonly "x-lazy"?: boolean;
  readonly "x-exact"?: boolean;
  /** Sees the value before it is checked, and may replace or refuse it. */
  readonly [BEFORE]?: (value: unknown) => unknown;
  /** Sees what was read, and may refuse it. */
  readonly [AFTER]?: (value: unknown) => void;
}

export const BEFORE = Symbol("before the check");
export const AFTER = Symbol("after the check");

/** What did not fit. */
export const FAIL = Symbol("fail");

/** How near to the schema a value was: pydantic's measure of a union's branches. */
export const LAX = 0;
export const STRICT = 1;
export const EXACT = 2;

/** A list whose items are checked later. */
export type Lazy = readonly [items: readonly unknown[], schema: Check];

export const NONE: readonly Lazy[] = [];

export class CheckState {
  /** Absent: the first failure ends the check. */
  readonly complaints: Complaints | undefined;
  exactness = EXACT;
  fields: number | undefined;
  lazy: readonly Lazy[] = NONE;
  /** Integers past 2^53 were checked on their digits before. */
  anyWidth = false;

  constructor(complaints?: Complaints) {
    this.complaints = complaints;
  }

  lower(to: number): void {
    if (to < this.exactness) this.exactness = to;
  }

  fail(complaint: Omit<Complaint, "path">, field?: string): typeof FAIL {
    this.complaints?.add(complaint, field);
    return FAIL;
  }
}

/** The value as it was read, or FAIL. */
export type Check = (value: unknown, state: CheckState) => unknown;
