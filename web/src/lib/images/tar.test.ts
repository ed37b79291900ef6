import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesAtStart } from './tar';

const LONG = `${'n'.repeat(120)}.png`;

/** An archive of three files, one of them with a name that does not fit a header, as the system's tar writes it. */
function archive(format: 'ustar' | 'gnu' | 'pax'): Uint8Array<ArrayBuffer> {
    const directory = mkdtempSync(path.join(tmpdir(), 'referee-tar.'));
    try {
        mkdirSync(path.join(directory, 'images'));
        for (const [name, size] of [['a.jpg', 700], ['b.jpg', 512], [format === 'ustar' ? 'c.png' : LONG, 3]] as const) {
            writeFileSync(path.join(directory, 'images', name), Buffer.alloc(size, name.charCodeAt(0)));
        }
        execFileSync('tar', ['--sort=name', `--format=${format}`, '-cf', 'all.tar', 'images'], { cwd: directory });
        return new Uint8Array(readFileSync(path.join(directory, 'all.tar')));
    } finally {
        rmSync(directory, { recursive: true });
    }
}

describe.each(['ustar', 'gnu', 'pax'] as const)('an archive that GNU tar writes as %s', (format) => {
    test('has its files, and no directories', () => {
        const found = filesAtStart(archive(format)).map(({ name, bytes }) => [name, bytes.length, bytes[0]]);
        expect(found).toEqual([
            ['images/a.jpg', 700, 97],
            ['images/b.jpg', 512, 98],
            format === 'ustar' ? ['images/c.png', 3, 99] : [`images/${LONG}`, 3, 110],
        ]);
    });

    test('of which the end is missing has those before it, whole', () => {
        const all = archive(format);
        const whole = filesAtStart(all);
        const counts = Array.from({ length: 40 }, (_, step) => filesAtStart(all.slice(0, 256 * step)));
        for (const found of counts) expect(found).toEqual(whole.slice(0, found.length));
        expect(new Set(counts.map(({ length }) => length))).toEqual(new Set([0, 1, 2, 3]));
    });
});

test('what is no archive has no files', () => {
    expect(filesAtStart(new Uint8Array(2048))).toEqual([]);
    expect(filesAtStart(new TextEncoder().encode('image,label\n'.repeat(100)))).toEqual([]);
});
