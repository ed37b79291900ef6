import { describe, expect, test } from 'vitest';
import { LineChecker, type Facts } from './check-text';

const FACTS: Facts = { classes: 10, classWords: new Set(['cat', 'n01']), images: 4, namedImages: false, boxes: false };

function faults(text: string, facts: Partial<Facts> = {}): string[] {
    const checker = new LineChecker({ ...FACTS, ...facts });
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) checker.line(line);
    checker.finish();
    return checker.faults.map(({ line, detail }) => (line ? `${line}: ${detail}` : detail));
}

describe('text, as section 2 of the contract describes it', () => {
    test.each([
        ['plain', '1\n2\n10\n4\n'],
        ['several guesses, by blanks and tabs', '1 2\t3\n2\n3\n4 1 2 3 5\n'],
        ['CRLF, without a final newline', '1\r\n2\r\n3\r\n4'],
        ['ten images of the last class', '10\n10\n10\n10\n'],
    ])('takes %s', (_, text) => {
        expect(faults(text)).toEqual([]);
    });

    test('names the line and what was expected', () => {
        expect(faults('1\n0\n11\n3 3\n')).toEqual([
            '2: class 0; text files count from 1. If this one is numbered from 0: add 1, or send CSV or NPY',
            '3: class 11, but this challenge has 10 (numbers run from 1 to 10)',
            '4: a class twice in one line',
        ]);
        expect(faults('1 2 3 4 5 6\n1\ncat\n1\n')).toEqual([
            '1: 6 classes; at most 5 count',
            '3: “cat” is not a class number from 1 to 10',
        ]);
        expect(faults('1\n\n1\n1\n1\n')).toEqual(['2: a blank line; every line belongs to an image']);
        expect(faults('1\n1\n1\n')).toEqual(['3 lines; this challenge has 4 test images, and each needs one']);
    });

    test('has no byte-order mark, as only CSV may', () => {
        expect(faults('\uFEFF1\n2\n3\n4\n')).toEqual(['1: the file starts with a byte-order mark; save it as plain ASCII']);
    });

    test('skips boxes where the form says that there are some', () => {
        const boxes = '1 10 20 30 40 2 5 6 7 8\n1 1 2 3 4\n1 1 2 3 4\n1 1 2 3 4\n';
        expect(faults(boxes, { boxes: true })).toEqual([]);
        expect(faults(boxes)).not.toEqual([]);
    });
});

describe('CSV', () => {
    test('takes indices from 0, names and ids, in any order, with empty trailing cells', () => {
        expect(faults('image,label1,label2\n3,0,9\n0,cat,\n2,n01,1\n1,5,\n')).toEqual([]);
        expect(faults('\uFEFFimage,label1\n0,0\n1,0\n2,0\n3,0\n')).toEqual([]);
    });

    test('takes quoted names with commas and quotes, as RFC 4180 writes them', () => {
        const classWords = new Set(['tench, Tinca tinca', 'a "quoted" name', 'cat']);
        const rows = '0,"tench, Tinca tinca"\n1,"a ""quoted"" name",cat\n"2",cat,,\n3,"cat","tench, Tinca tinca"\n';
        expect(faults(`image,label1,label2\n${rows}`, { classWords })).toEqual([]);
        expect(faults('image,label1\n0,"dog, wolf"\n1,0\n2,0\n3,0\n', { classWords })).toEqual(['2: there is no class “dog, wolf”']);
    });

    test('names what is wrong', () => {
        expect(faults('image,label1\n0,10\n0,0\n4,dog\n1,0\n')).toEqual([
            '2: class 10, but this challenge has 10 (numbers run from 0 to 9)',
            '3: image 0 a second time',
            '4: image “4”; images are numbered from 0 to 3',
            '4: there is no class “dog”',
        ]);
    });

    test('leaves named images to the server', () => {
        expect(faults('image,label1\na.png,0\nb.png,0\nc.png,0\nd.png,0\n', { namedImages: true })).toEqual([]);
    });

    test('stops at ten faults', () => {
        expect(faults(`image,label1\n${'x,0\n'.repeat(50)}`)).toHaveLength(10);
    });
});
