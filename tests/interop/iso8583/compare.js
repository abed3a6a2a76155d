// Our messages through the npm package iso_8583, one JSON object a line.
//
// In:  {formats, binary: [fields of bytes with a length before them], bytes: hex}
// Out: {fields, rest: hex, encoded: hex} or {error}; fields of bytes are hex.
//
// The package reads a field with a length before it as text, which spoils bytes. So it
// is asked for the message several times: first for the digits of the length as a fixed
// field of text, then for digits and bytes together as a fixed binary field. Everything
// else is its own reading under our customFormats.
'use strict';
const readline = require('readline');
const Iso8583 = require('iso_8583');

// It lists no file update requests, which ISO 8583:1987 has.
const FILE_UPDATES = ['0300', '0301', '0310'];
const STAND_IN = '0320';

function unpack(bytes, formats) {
  const found = new Iso8583(null, formats).unpack_0_127(bytes, {}, {});
  if (found.error) throw new Error(found.error);
  return found;
}

// Its bitmap of a message tells which fields are there, in order.
function binaryFields(bytes, formats, binary) {
  const whole = unpack(bytes, formats);
  return binary.filter((field) => field in whole.json);
}

function compare({ formats, binary, bytes: hex }) {
  const bytes = Buffer.from(hex, 'hex');
  const type = bytes.subarray(0, 4).toString();
  const isFileUpdate = FILE_UPDATES.includes(type);
  if (isFileUpdate) bytes.write(STAND_IN, 0);
  const lossy = unpack(bytes, formats);
  const exact = { ...formats };
  for (const field of binaryFields(bytes, formats, binary)) {
    const digits = formats[field].LenType.indexOf('var');
    exact[field] = { ...formats[field], LenType: 'fixed', ContentType: 'n', MaxLen: digits };
    const length = Number(unpack(bytes, exact).json[field]);
    exact[field] = {
      ...formats[field], LenType: 'fixed', ContentType: 'b', MaxLen: 2 * (digits + length),
    };
  }
  const read = unpack(bytes, exact);
  // Read with lengths as the profile has them, the fields of text must be the same.
  for (const field of Object.keys(lossy.json)) {
    if (!binary.includes(Number(field)) && lossy.json[field] !== read.json[field]) {
      throw new Error(`field ${field} is read in two ways`);
    }
  }
  const written = new Iso8583(read.json, exact).getRawMessage();
  if (written.error) throw new Error(written.error);
  if (isFileUpdate) written.write(type, 0);
  return {
    fields: { ...read.json, 0: type },
    rest: read.remSlice.toString('hex'),
    encoded: written.toString('hex'),
  };
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  let answer;
  try {
    answer = compare(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
