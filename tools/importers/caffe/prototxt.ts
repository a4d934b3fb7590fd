/**
 * Reads the text format of protobuf messages, as `.prototxt` files have it, into a tree that knows where everything stands.
 *
 * The reader knows no schema: a field is a name with any number of values, each a message, a string, a number or a word
 * (an enumerator or a boolean). What a name means is decided by who asks for it (parameters.ts). Sizes and depths are
 * bounded, because a file may come from anywhere.
 */

/** 1-based. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

export interface TextScalar extends TextPlace {
  readonly kind: "string" | "number" | "word";
  /** A string's content, a number or word as written. */
  readonly text: string;
  /** For numbers. */
  readonly number?: number;
}

export interface TextMessage extends TextPlace {
  readonly kind: "message";
  /** Values by field name, in the order of the file. */
  readonly fields: ReadonlyMap<string, readonly TextValue[]>;
}

export type TextValue = TextScalar | TextMessage;

/** The text is not in the format. */
export class TextFormatError extends Error {
  constructor(
    message: string,
    readonly place: TextPlace,
  ) {
    super(message);
  }
}

/** The largest published networks have some hundred kilobytes. */
const MAX_BYTES = 4 * 2 ** 20;
/** Caffe's own messages nest to a depth of 5. */
const MAX_DEPTH = 32;

/** No number that means anything is longer; a longer one would only cost time. */
const MAX_NUMBER_LETTERS = 64;
const NUMBER = /^-?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?)$/;
const ESCAPE_CODE = /^\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3})/;

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "?": "?",
};

export function readTextFormat(bytes: Uint8Array): TextMessage {
  const start = { line: 1, column: 1 };
  if (bytes.length > MAX_BYTES) throw new TextFormatError(`the text has more than ${MAX_BYTES} bytes`, start);
  if (bytes.includes(0)) throw new TextFormatError("the file is binary, not text", start);
  return new TextReader(new TextDecoder().decode(bytes)).read();
}

class TextReader {
  private position = 0;
  /** Position up to which lines are counted, and the count there. */
  private counted = 0;
  private line = 1;
  private lineStart = 0;

  constructor(private readonly text: string) {}

  read(): TextMessage {
    this.skip();
    const message = this.message(this.place(), "", 0);
    if (this.position < this.text.length) this.fail("a field's name is expected");
    return message;
  }

  private place(): TextPlace {
    for (; this.counted < this.position; this.counted++) {
      if (this.text.charCodeAt(this.counted) === 10) {
        this.line++;
        this.lineStart = this.counted + 1;
      }
    }
    return { line: this.line, column: this.position - this.lineStart + 1 };
  }

  private fail(message: string): never {
    const found = this.position < this.text.length ? `found '${this.text[this.position]}'` : "the text ends";
    throw new TextFormatError(`${message}, but ${found}`, this.place());
  }

  /** Moves behind space and comments. */
  private skip(): void {
    for (;;) {
      const letter = this.text.charCodeAt(this.position);
      if (letter === 32 || (letter >= 9 && letter <= 13)) this.position++;
      else if (letter === 35) {
        const end = this.text.indexOf("\n", this.position);
        this.position = end < 0 ? this.text.length : end;
      } else return;
    }
  }

  /** The letters from here on that belong to a word, or to a number too; not yet taken. */
  private run(ofNumber: boolean): string {
    let end = this.position;
    for (; end < this.text.length; end++) {
      const letter = this.text.charCodeAt(end);
      const word = (letter | 32) >= 97 && (letter | 32) <= 122;
      const digit = letter >= 48 && letter <= 57;
      const sign = letter === 43 || letter === 45 || letter === 46;
      if (!(word || digit || letter === 95 || (ofNumber && sign))) break;
    }
    return this.text.slice(this.position, end);
  }

  /** Takes a word, unless none is here. */
  private word(): string | undefined {
    const word = this.run(false);
    if (word === "" || /^[0-9]/.test(word)) return undefined;
    this.position += word.length;
    return word;
  }

  /** Takes a number, unless none is here. */
  private digits(): string | undefined {
    const digits = this.run(true);
    if (digits.length > MAX_NUMBER_LETTERS || !NUMBER.test(digits)) return undefined;
    this.position += digits.length;
    return digits;
  }

  private accept(letter: string): boolean {
    if (this.text[this.position] !== letter) return false;
    this.position++;
    this.skip();
    return true;
  }

  /** Fields up to `end`, which is taken; the end of the text for "". */
  private message(place: TextPlace, end: string, depth: number): TextMessage {
    if (depth > MAX_DEPTH) throw new TextFormatError(`messages nest deeper than ${MAX_DEPTH}`, place);
    const fields = new Map<string, TextValue[]>();
    const add = (name: string, value: TextValue): void => {
      const known = fields.get(name);
      if (known) known.push(value);
      else fields.set(name, [value]);
    };
    while (this.position < this.text.length) {
      if (end !== "" && this.accept(end)) return { kind: "message", ...place, fields };
      const name = this.word() ?? this.fail("a field's name is expected");
      this.skip();
      const colon = this.accept(":");
      if (this.accept("[")) {
        if (!this.accept("]")) {
          do add(name, this.value(name, true, depth));
          while (this.accept(","));
          if (!this.accept("]")) this.fail(`',' or ']' is expected in the list of '${name}'`);
        }
      } else add(name, this.value(name, colon, depth));
      if (!this.accept(",")) this.accept(";");
    }
    if (end !== "") this.fail(`'${end}' is expected at the end of the message of line ${place.line}`);
    return { kind: "message", ...place, fields };
  }

  private value(name: string, scalar: boolean, depth: number): TextValue {
    const place = this.place();
    if (this.accept("{")) return this.message(place, "}", depth + 1);
    if (this.accept("<")) return this.message(place, ">", depth + 1);
    if (!scalar) return this.fail(`':' or '{' is expected after '${name}'`);
    const letter = this.text[this.position];
    if (letter === '"' || letter === "'") return { kind: "string", text: this.strings(), ...place };
    const digits = this.digits();
    if (digits !== undefined) {
      this.skip();
      return { kind: "number", text: digits, number: numberOf(digits), ...place };
    }
    const negative = letter === "-";
    if (negative) {
      this.position++;
      this.skip();
    }
    const word = this.word() ?? this.fail(`a value of '${name}' is expected`);
    this.skip();
    const special = /^(?:inf|infinity)f?$/i.test(word)
      ? Number.POSITIVE_INFINITY
      : /^nanf?$/i.test(word)
        ? Number.NaN
        : undefined;
    if (special !== undefined) {
      return { kind: "number", text: word, number: negative ? -special : special, ...place };
    }
    if (negative) throw new TextFormatError(`'-${word}' is not a number`, place);
    return { kind: "word", text: word, ...place };
  }

  /** Strings that follow each other are one. */
  private strings(): string {
    const parts: string[] = [];
    for (let quote = this.text[this.position]; quote === '"' || quote === "'"; quote = this.text[this.position]) {
      parts.push(this.string(quote));
      this.skip();
    }
    return parts.join("");
  }

  private string(quote: string): string {
    const place = this.place();
    let result = "";
    let from = ++this.position;
    for (;;) {
      const letter = this.text[this.position];
      if (letter === undefined || letter === "\n") throw new TextFormatError("the string is not closed", place);
      if (letter === quote) {
        result += this.text.slice(from, this.position++);
        return result;
      }
      if (letter === "\\") {
        result += this.text.slice(from, this.position) + this.escape();
        from = this.position;
      } else this.position++;
    }
  }

  private escape(): string {
    const coded = ESCAPE_CODE.exec(this.text.slice(this.position, this.position + 4))?.[0];
    if (coded !== undefined) {
      this.position += coded.length;
      const code = coded[1] === "x" ? Number.parseInt(coded.slice(2), 16) : Number.parseInt(coded.slice(1), 8);
      return String.fromCharCode(code & 0xff);
    }
    const plain = ESCAPES[this.text[this.position + 1] ?? ""];
    if (plain === undefined) throw new TextFormatError("the string has an unknown escape", this.place());
    this.position += 2;
    return plain;
  }
}

function numberOf(digits: string): number {
  const negative = digits.startsWith("-");
  const magnitude = negative ? digits.slice(1) : digits;
  const hexadecimal = /^0x/i.test(magnitude);
  // A leading 0 makes an integer octal, as in C.
  const octal = /^0[0-7]+$/.test(magnitude);
  const value = hexadecimal
    ? Number(magnitude)
    : octal
      ? Number.parseInt(magnitude, 8)
      : Number(magnitude.replace(/[fF]$/, ""));
  return negative ? -value : value;
}
