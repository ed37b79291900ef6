/**
 * Checks predictions in text or CSV line by line, with the server's rules (CONTRACT section 2): as many lines as images,
 * classes in range, none twice in a line. Where this lets something pass, the server still looks.
 */
import type { ProblemLine } from '$lib/api/schema';
import { count } from '$lib/format/numbers';

export interface Facts {
    /** Classes of the list that the file is over. */
    classes: number;
    /** Columns that scores may have instead: the challenge's own classes, where the file is over a longer list. */
    ownColumns?: number | undefined;
    /** Names and ids of classes. */
    classWords: ReadonlySet<string>;
    /** Test images; `null` while nobody knows. */
    images: number | null;
    /** Whether images have names, which are not known here. */
    namedImages: boolean;
    /** Whether the file holds boxes beside its classes. */
    boxes: boolean;
}

const MOST_FAULTS = 10;
const MOST_GUESSES = 5;
const INTEGER = /^(0|[1-9][0-9]*)$/;

export class LineChecker {
    readonly faults: ProblemLine[] = [];
    /** `text` or `CSV`, known after the first line. */
    format: 'text' | 'CSV' | null = null;
    #line = 0;
    #blankAt: number | null = null;
    #rows = 0;
    #firstCell: 'label' | 'boxes' = 'label';
    readonly #seen = new Set<string>();
    readonly #facts: Facts;

    constructor(facts: Facts) {
        this.#facts = facts;
    }

    /** Whether there is no use in reading on. */
    get full(): boolean {
        return this.faults.length >= MOST_FAULTS;
    }

    get rows(): number {
        return this.#rows;
    }

    /** Takes a line without its line feed. */
    line(raw: string): void {
        this.#line += 1;
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
        if (this.#blankAt !== null) {
            this.#fault(this.#blankAt, 'a blank line; every line belongs to an image');
            this.#blankAt = null;
        }
        if (line.trim() === '') {
            // The last one may be what follows the final line feed.
            this.#blankAt = this.#line;
            return;
        }
        if (this.format === null) {
            this.format = /^\uFEFF?"?(image|ImageId)"?\s*,/i.test(line) ? 'CSV' : 'text';
            if (this.format === 'CSV') {
                if (/PredictionString/i.test(line)) this.#firstCell = 'boxes';
                return;
            }
            if (line.startsWith('\uFEFF')) {
                this.#rows += 1;
                this.#fault(1, 'the file starts with a byte-order mark; save it as plain ASCII');
                return;
            }
            if (line.includes(',')) {
                this.#fault(1, 'a CSV file begins with the header `image,label1[,…,label5]`; a text file separates classes by blanks');
                return;
            }
        }
        this.#rows += 1;
        if (this.format === 'CSV') this.#csvRow(line);
        else this.#textRow(line);
    }

    /** Ends the file. */
    finish(): void {
        const { images } = this.#facts;
        if (images === null || this.#rows === images || this.full) return;
        const what = this.format === 'CSV' ? 'rows after the header' : 'lines';
        this.faults.push({
            line: null,
            row: null,
            detail: `${count(this.#rows)} ${what}; this challenge has ${count(images)} test images, and each needs one`,
        });
    }

    #textRow(line: string): void {
        const tokens = line.split(/[ \t]+/).filter(Boolean);
        const guesses = this.#facts.boxes ? tokens.filter((_, index) => index % 5 === 0) : tokens;
        const { classes } = this.#facts;
        this.#guesses(guesses, (guess) => {
            if (guess === '0') return 'class 0; text files count from 1. If this one is numbered from 0: add 1, or send CSV or NPY';
            if (INTEGER.test(guess)) {
                return Number(guess) > classes ? `class ${guess}, but this challenge has ${classes} (numbers run from 1 to ${classes})` : null;
            }
            return `“${guess}” is not a class number from 1 to ${classes}`;
        });
    }

    #csvRow(line: string): void {
        const { classes, classWords, images, namedImages } = this.#facts;
        const [image = '', ...cells] = csvCells(line);
        if (this.#seen.has(image)) this.#fault(this.#line, `image ${image} a second time`);
        this.#seen.add(image);
        if (!namedImages && images !== null && !(INTEGER.test(image) && Number(image) < images)) {
            this.#fault(this.#line, `image “${image}”; images are numbered from 0 to ${images - 1}`);
        }
        if (this.#firstCell === 'boxes') return;
        while (cells.at(-1) === '') cells.pop();
        this.#guesses(cells, (guess) => {
            if (INTEGER.test(guess)) {
                return Number(guess) >= classes ? `class ${guess}, but this challenge has ${classes} (numbers run from 0 to ${classes - 1})` : null;
            }
            return classWords.has(guess) ? null : `there is no class “${guess}”`;
        });
    }

    #guesses(guesses: readonly string[], wrong: (guess: string) => string | null): void {
        if (guesses.length === 0) return this.#fault(this.#line, 'no guess; at least one class is needed');
        if (guesses.length > MOST_GUESSES) return this.#fault(this.#line, `${guesses.length} classes; at most ${MOST_GUESSES} count`);
        for (const guess of guesses) {
            const detail = wrong(guess);
            if (detail !== null) return this.#fault(this.#line, detail);
        }
        if (new Set(guesses).size < guesses.length) this.#fault(this.#line, 'a class twice in one line');
    }

    #fault(line: number, detail: string): void {
        if (!this.full) this.faults.push({ line, row: null, detail });
    }
}

/** The cells of a line. Quotes as the server reads them, by RFC 4180: a comma inside separates nothing, a doubled quote is one. */
function csvCells(line: string): string[] {
    return [...`,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))/g)].map(([, quoted, plain = '']) =>
        quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'),
    );
}
