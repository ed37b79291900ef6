import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
    kit: {
        // The server answers every address of the site with this page; see crates/api/src/web.rs.
        adapter: adapter({ fallback: '200.html' }),
    },
};
