/** Each page in both themes, as axe-core finds it and as pictures for people: target/screenshots/{page}-{theme}-{width}.png. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { violationsIn } from './accessible';
import { useBrowser } from './browser';
import { type ArrangedPages, arrangedPages } from './pages';

const directory = path.resolve(import.meta.dirname, '../../../target/screenshots');
/** Pixels; the reference goes on beyond. */
const HIGHEST = 12_000;
const { visitor } = useBrowser();
let arranged: ArrangedPages;
beforeAll(async () => {
    await mkdir(directory, { recursive: true });
    arranged = await arrangedPages();
});

test.each([
    [360, 740],
    [1280, 900],
    [3840, 2160],
] as const)('axe finds no violation in either theme, %d pixels wide, and no page needs more room', async (width, height) => {
    const found: string[] = [];
    // Without motion: a colour on its way from one theme to the other belongs to neither.
    await arranged.visitAll(visitor, { viewport: { width, height }, reducedMotion: 'reduce' }, async ({ name, path: address }, page) => {
        for (const theme of ['light', 'dark'] as const) {
            for (const violation of await violationsIn(page, theme)) found.push(`${address} in the ${theme} theme: ${violation}`);
            // A screen as high as the page: pictures of a whole page from a lower one show type half enlarged on large screens.
            const whole = await page.evaluate(() => document.documentElement.scrollHeight);
            await page.setViewportSize({ width, height: Math.min(whole, HIGHEST) });
            await page.waitForTimeout(200);
            const { length } = await page.screenshot({ path: path.join(directory, `${name}-${theme}-${width}.png`) });
            if (length < 5_000) found.push(`${address} in the ${theme} theme: its picture is empty, of ${length} bytes`);
            await page.setViewportSize({ width, height });
        }
        const needed = await page.evaluate(() => document.documentElement.scrollWidth);
        if (needed > width) found.push(`${address} is ${needed} pixels wide on a screen of ${width}`);
    });
    expect(found).toEqual([]);
}, 1_200_000);
