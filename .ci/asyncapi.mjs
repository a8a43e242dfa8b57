// Reads an AsyncAPI document with the official parser, prints what it finds,
// and ends with 1 if the document is not valid: node asyncapi.mjs parser file
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , parserAt, path] = process.argv;
const { Parser } = createRequire(parserAt + "/")("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"), { source: path });

const severities = ["error", "warning", "information", "hint"];
let invalid = document === undefined;
for (const d of diagnostics) {
  invalid ||= d.severity === 0;
  console.log(`${path}:${d.range.start.line + 1}: ${severities[d.severity]}: ${d.message} (${d.code})`);
}
if (invalid) {
  console.error(`${path} is not a valid AsyncAPI document`);
  process.exit(1);
}
console.log(`${path}: AsyncAPI ${document.version()}, ${document.channels().all().length} channels, ${document.messages().all().length} messages`);
