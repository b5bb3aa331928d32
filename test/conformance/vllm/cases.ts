/** All cases, in the order in which they are asked. */
import type { VllmCase } from "./case.ts";
import { combinedChatCases } from "./combined-chats.ts";
import { combinedTextCases } from "./combined-texts.ts";
import { combinedToolCases } from "./combined-tools.ts";
import { routeCases } from "./routes.ts";
import { shapeCases } from "./shapes.ts";
import { streamCases } from "./streams.ts";
import { valueCases } from "./values.ts";
import { wrongTypeCases } from "./wrong-types.ts";

export const cases: readonly VllmCase[] = [
  ...routeCases,
  ...shapeCases,
  ...wrongTypeCases,
  ...valueCases,
  ...streamCases,
  ...combinedChatCases,
  ...combinedToolCases,
  ...combinedTextCases,
];
