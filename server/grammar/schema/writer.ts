/** What the parts of a schema's grammar are written with. */
import type { Node } from "../grammar.ts";
import type { All, Schema } from "./flat.ts";

export interface Writer {
  /** Around brackets and after commas. */
  readonly space: Node;
  /** After a colon. */
  readonly gap: Node;
  readonly anyValue: Node;
  value(schemas: All): Node;
  /** Keys that are none of the names, written one way. */
  keysExcept(names: ReadonlySet<string>): Node;
  /** A schema that holds only where `schema` does not; false where it cannot be said. */
  opposite(schema: Schema): Schema;
}
