/** Pictures of each page for people to look at: target/screenshots/{page}-{theme}-{width}.png. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useBrowser } from './browser';
import { allPages, type PageAddress } from './pages';
import type { Person } from './people';

const directory = path.resolve(import.meta.dirname, '../../../target/screenshots');
const { visitor } = useBrowser();
let pages: PageAddress[];
let people: Record<'competitor' | 'organizer', Person>;
beforeAll(async () => {
    await mkdir(directory, { recursive: true });
    const arranged = await allPages();
    pages = arranged.pages;
    people = arranged;
});

test.each([
    ['light', 360],
    ['dark', 360],
    ['light', 1280],
    ['dark', 1280],
    ['light', 3840],
    ['dark', 3840],
] as const)('each page in the %s theme, %d pixels wide', async (theme, width) => {
    const height = width === 3840 ? 2160 : width === 360 ? 740 : 900;
    for (const as of ['visitor', 'competitor', 'organizer'] as const) {
        const who = await visitor({ colorScheme: theme, viewport: { width, height }, reducedMotion: 'reduce' });
        who.expectTrouble(/404/);
        if (as !== 'visitor') await who.signIn(people[as]);
        for (const address of pages.filter((page) => page.as === as)) {
            await who.goto(address.path);
            await who.page.locator(address.shows).first().waitFor();
            await who.seeAll();
            const file = path.join(directory, `${address.name}-${theme}-${width}.png`);
            const { length } = await who.page.screenshot({ path: file, fullPage: true });
            expect(length).toBeGreaterThan(5_000);
        }
        await who.leave();
    }
}, 300_000);
