/** Pictures of each page for people to look at: target/screenshots/{page}-{theme}-{width}.png. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useBrowser } from './browser';
import { type ArrangedPages, arrangedPages } from './pages';

const directory = path.resolve(import.meta.dirname, '../../../target/screenshots');
const { visitor } = useBrowser();
let arranged: ArrangedPages;
beforeAll(async () => {
    await mkdir(directory, { recursive: true });
    arranged = await arrangedPages();
});

test.each([
    ['light', 360, 740],
    ['dark', 360, 740],
    ['light', 1280, 900],
    ['dark', 1280, 900],
    ['light', 3840, 2160],
    ['dark', 3840, 2160],
] as const)('each page in the %s theme, %d pixels wide', async (theme, width, height) => {
    await arranged.visitAll(visitor, { colorScheme: theme, viewport: { width, height }, reducedMotion: 'reduce' }, async ({ name }, page) => {
        const { length } = await page.screenshot({ path: path.join(directory, `${name}-${theme}-${width}.png`), fullPage: true });
        expect(length).toBeGreaterThan(5_000);
    });
}, 300_000);
