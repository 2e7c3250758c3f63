// Made by `npm run api` from the server's /openapi.json. Do not edit.

export interface paths {
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tasks */
        get: operations["get_tasks"];
        put?: never;
        /** Create a task */
        post: operations["post_tasks"];
        /** Cancel all tasks that match; a member: of those they made */
        delete: operations["delete_tasks"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Create up to 1,000 tasks; a bad one does not spoil the others */
        post: operations["post_tasks_bulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a task */
        get: operations["get_tasks_task_id"];
        put?: never;
        post?: never;
        /** Cancel a task, or remove it with ?purge=1 */
        delete: operations["delete_tasks_task_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Start a held task */
        post: operations["post_tasks_task_id_start"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a waiting task */
        post: operations["post_tasks_task_id_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a new task from a final one */
        post: operations["post_tasks_task_id_retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files of a task */
        get: operations["get_tasks_task_id_artifacts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read the log of a task */
        get: operations["get_tasks_task_id_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the changes of a task's state */
        get: operations["get_tasks_task_id_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/challenge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read what waits for a person */
        get: operations["get_tasks_task_id_challenge"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/challenge/{picture}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a picture of it: screenshot or qr */
        get: operations["get_tasks_task_id_challenge_picture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what a task found */
        get: operations["get_tasks_task_id_items"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/pages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the URLs a crawl looked at */
        get: operations["get_tasks_task_id_pages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{task_id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export what a task found */
        get: operations["get_tasks_task_id_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Ask whether it can be exported, and as which file */
        head: operations["head_tasks_task_id_export"];
        patch?: never;
        trace?: never;
    };
    "/api/v1/items/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export the items that match */
        get: operations["get_items_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Ask whether they can be exported, and as which file */
        head: operations["head_items_export"];
        patch?: never;
        trace?: never;
    };
    "/api/v1/artifacts/{artifact_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a file, or a range of it */
        get: operations["get_artifacts_artifact_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        /** Ask what a file is */
        head: operations["head_artifacts_artifact_id"];
        patch?: never;
        trace?: never;
    };
    "/api/v1/platforms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List crawl platforms and generation providers */
        get: operations["get_platforms"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/platforms/{platform_id}/drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Say how often a crawl platform's fields come filled */
        get: operations["get_platforms_platform_id_drift"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/accounts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List accounts */
        get: operations["get_accounts"];
        put?: never;
        /** Add an account */
        post: operations["post_accounts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/accounts/{account_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read an account */
        get: operations["get_accounts_account_id"];
        put?: never;
        post?: never;
        /** Remove an account with its session */
        delete: operations["delete_accounts_account_id"];
        options?: never;
        head?: never;
        /** Rename an account, replace its session, or make it the default */
        patch: operations["patch_accounts_account_id"];
        trace?: never;
    };
    "/api/v1/accounts/{account_id}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Look whether an account is logged in */
        post: operations["post_accounts_account_id_check"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/accounts/{platform}/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow a login: events `state` and `qr`; the schema is that of their data */
        get: operations["get_accounts_platform_login"];
        put?: never;
        /** Open a platform's login page */
        post: operations["post_accounts_platform_login"];
        /** End a login */
        delete: operations["delete_accounts_platform_login"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign in: sets the session's cookies */
        post: operations["post_login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sign out: clears the session's cookies */
        post: operations["post_logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List users; for admins */
        get: operations["get_users"];
        put?: never;
        /** Add a user; for admins */
        post: operations["post_users"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a user; for admins */
        get: operations["get_users_user_id"];
        put?: never;
        post?: never;
        /** Remove a user; for admins */
        delete: operations["delete_users_user_id"];
        options?: never;
        head?: never;
        /** Change a user; for admins */
        patch: operations["patch_users_user_id"];
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Say who calls */
        get: operations["get_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change one's own password */
        patch: operations["patch_me"];
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read who did what; for admins */
        get: operations["get_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List one's own tokens */
        get: operations["get_tokens"];
        put?: never;
        /** Make a token */
        post: operations["post_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Remove a token */
        delete: operations["delete_tokens_token_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the server from inside */
        get: operations["get_system"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/system/shutdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop the server in order */
        post: operations["post_system_shutdown"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Ask how every component is */
        get: operations["get_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Ask whether the loop turns */
        get: operations["get_health_live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Ask whether requests are served */
        get: operations["get_health_ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read this document */
        get: operations["get_openapi_json"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read this document as a page */
        get: operations["get_docs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/system/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Preview what the retention rules would purge */
        get: operations["get_system_retention"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow tasks live, as Server-Sent Events; the schema is that of the events' data */
        get: operations["get_stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AccountChange
         * @description What is to be other than it is.
         */
        AccountChange: {
            /**
             * Label
             * @default null
             */
            label?: string | null;
            /**
             * Cookies
             * @default null
             */
            cookies?: string | null;
            /**
             * Is Default
             * @default null
             */
            is_default?: true | null;
        };
        /**
         * AccountChecked
         * @description How the login stands now; `problem` says why that could not be seen.
         */
        AccountChecked: {
            account: components["schemas"]["AccountOut"];
            problem: components["schemas"]["ProblemOut"] | null;
        };
        /**
         * AccountCreate
         * @description A new account; without cookies it is logged in afterwards.
         */
        AccountCreate: {
            /** Platform */
            platform: string;
            /** Label */
            label: string;
            /**
             * Cookies
             * @default null
             */
            cookies?: string | null;
        };
        /**
         * AccountDeleted
         * @description Whether it is gone.
         */
        AccountDeleted: {
            /** Account Id */
            account_id: string;
            /** Deleted */
            deleted: boolean;
        };
        /**
         * AccountEventOut
         * @description Who did what.
         */
        AccountEventOut: {
            /** At */
            at: string;
            /**
             * What
             * @enum {string}
             */
            what: "created" | "login" | "cookies_set" | "renamed" | "made_default";
            /** By */
            by: string | null;
        };
        /**
         * AccountList
         * @description Every account. `key_problem`: why this server can neither seal nor open what is secret.
         */
        AccountList: {
            /** Items */
            items: components["schemas"]["AccountOut"][];
            /** Next Cursor */
            next_cursor: string | null;
            key_problem: components["schemas"]["ProblemOut"] | null;
        };
        /**
         * AccountOut
         * @description An account. `cookies_hint`: the last four characters of a stored session; null when none is stored.
         */
        AccountOut: {
            /** Account Id */
            account_id: string;
            /** Platform */
            platform: string;
            /** Label */
            label: string;
            /** Is Default */
            is_default: boolean;
            /**
             * State
             * @enum {string}
             */
            state: "none" | "missing" | "ok" | "expired" | "unknown";
            /** Checked At */
            checked_at: string | null;
            /** Expires At */
            expires_at: string | null;
            /** Has Cookies */
            has_cookies: boolean;
            /** Cookies Hint */
            cookies_hint: string | null;
            /** Created By */
            created_by: string;
            /** Created At */
            created_at: string;
            /** Updated At */
            updated_at: string;
            /** History */
            history: components["schemas"]["AccountEventOut"][];
        };
        /**
         * ArtifactList
         * @description All files of a task.
         */
        ArtifactList: {
            /** Items */
            items: components["schemas"]["ArtifactOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * ArtifactOut
         * @description A file of a task.
         */
        ArtifactOut: {
            /** Artifact Id */
            artifact_id: string;
            /** Task Id */
            task_id: string;
            /** Name */
            name: string;
            /**
             * Role
             * @enum {string}
             */
            role: "output" | "poster" | "media" | "screenshot";
            /** Media Type */
            media_type: string;
            /** Size Bytes */
            size_bytes: number;
            /** Sha256 */
            sha256: string;
            /** Width */
            width: number | null;
            /** Height */
            height: number | null;
            /** Duration S */
            duration_s: number | null;
            /** Fps */
            fps: number | null;
            /** Url */
            url: string;
            /** Poster Url */
            poster_url: string | null;
        };
        /**
         * AuditEntryOut
         * @description Who did what; `subject` is the id it was done to.
         *
         *     `subject_name` is the name of the person it was done to, null of anything else and in entries of older versions.
         */
        AuditEntryOut: {
            /** At */
            at: string;
            /** What */
            what: string;
            /** By */
            by: string;
            /** Subject */
            subject: string;
            /** Subject Name */
            subject_name: string | null;
            /** Detail */
            detail: string;
        };
        /**
         * AuditList
         * @description A page of entries, newest first.
         */
        AuditList: {
            /** Items */
            items: components["schemas"]["AuditEntryOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * AuthOut
         * @description Whether a key or a login is needed, and how it stands.
         */
        AuthOut: {
            /** Needed */
            needed: boolean;
            /**
             * State
             * @enum {string}
             */
            state: "none" | "missing" | "ok" | "expired" | "unknown";
        };
        /**
         * AuthorOut
         * @description Who wrote it.
         */
        AuthorOut: {
            /** Id Hash */
            id_hash: string;
            /** Name Masked */
            name_masked: string;
        };
        /**
         * AvailabilityOut
         * @description Whether the platform can run now.
         */
        AvailabilityOut: {
            /** Available */
            available: boolean;
            /** Reason */
            reason: string | null;
            /** Advice */
            advice: string | null;
        };
        /**
         * BatchOut
         * @description What became of each entry, in the order they were sent.
         */
        BatchOut: {
            /** Batch Id */
            batch_id: string;
            /** Items */
            items: (components["schemas"]["EntryMade"] | components["schemas"]["EntryRefused"])[];
        };
        /**
         * BooksOut
         * @description The account of a task: requested = ok + empty + blocked + failed + skipped + aborted at its end.
         */
        BooksOut: {
            /** Requested */
            requested: number;
            /** Ok */
            ok: number;
            /** Empty */
            empty: number;
            /** Blocked */
            blocked: number;
            /** Failed */
            failed: number;
            /** Skipped */
            skipped: number;
            /** Aborted */
            aborted: number;
            /** Stored */
            stored: number;
            /** Queued Left */
            queued_left: number;
            /** Skipped By */
            skipped_by: {
                [key: string]: number;
            };
            /** Reported Total */
            reported_total: number | null;
            /** Fetched Unique */
            fetched_unique: number | null;
            /** Balanced */
            balanced: boolean | null;
        };
        /**
         * BrowserOut
         * @description The browsers that read platforms which need one: what is open right now.
         */
        BrowserOut: {
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "degraded" | "down" | "off";
            /** Latency Ms */
            latency_ms: number | null;
            /** Since */
            since: string | null;
            /** Advice */
            advice: string | null;
            /** Tabs */
            tabs: number;
            /** Browsers */
            browsers: number;
        };
        /**
         * CancelOut
         * @description Who asked to cancel, and what came of it.
         */
        CancelOut: {
            /** Requested At */
            requested_at: string;
            /** Requested By */
            requested_by: string;
            /** Ended At */
            ended_at: string | null;
            released: components["schemas"]["ReleasedOut"];
            /** Saved */
            saved: number;
        };
        /**
         * ChallengeOut
         * @description What waits for a person. A picture's URL is another when the picture is.
         */
        ChallengeOut: {
            /**
             * Kind
             * @enum {string}
             */
            kind: "login" | "captcha" | "qr";
            /** Screenshot Url */
            screenshot_url: string | null;
            /** Qr Url */
            qr_url: string | null;
            /** Page Url */
            page_url: string | null;
            /** Since */
            since: string;
        };
        /**
         * CheckpointOut
         * @description Where a resumed run goes on.
         */
        CheckpointOut: {
            /** At */
            at: string;
            /** Note */
            note: string;
        };
        /**
         * ComponentOut
         * @description The state of one part.
         */
        ComponentOut: {
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "degraded" | "down" | "off";
            /** Latency Ms */
            latency_ms: number | null;
            /** Since */
            since: string | null;
            /** Advice */
            advice: string | null;
        };
        /**
         * Components
         * @description Every part of the server.
         */
        Components: {
            mongodb: components["schemas"]["StoreOut"];
            redis: components["schemas"]["StoreOut"];
            runner: components["schemas"]["RunnerOut"];
            disk: components["schemas"]["DiskOut"];
            ffmpeg: components["schemas"]["ComponentOut"];
            browser: components["schemas"]["BrowserOut"];
        };
        /**
         * CostOut
         * @description Money as decimal strings.
         */
        CostOut: {
            /** Currency */
            currency: string;
            /** Estimated */
            estimated: string;
            /** Reserved */
            reserved: string;
            /** Spent */
            spent: string;
        };
        /**
         * DiskOut
         * @description The disk of DATA_DIR.
         */
        DiskOut: {
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "degraded" | "down" | "off";
            /** Latency Ms */
            latency_ms: number | null;
            /** Since */
            since: string | null;
            /** Advice */
            advice: string | null;
            /** Free Bytes */
            free_bytes: number;
        };
        /**
         * DriftGroupOut
         * @description Items of one kind from one source: the newest, and those before them.
         */
        DriftGroupOut: {
            /**
             * Kind
             * @enum {string}
             */
            kind: "page" | "post" | "comment" | "creator" | "media";
            /** Source */
            source: string;
            recent: components["schemas"]["DriftWindowOut"];
            before: components["schemas"]["DriftWindowOut"];
            /** Fields */
            fields: components["schemas"]["FieldDriftOut"][];
        };
        /**
         * DriftOut
         * @description How often a platform's fields come filled; `dry` counts those that used to be and are not any more.
         */
        DriftOut: {
            /** Platform */
            platform: string;
            /** Tasks */
            tasks: number;
            /** Counted To */
            counted_to: string | null;
            /** Dry */
            dry: number;
            /** Groups */
            groups: components["schemas"]["DriftGroupOut"][];
        };
        /**
         * DriftWindowOut
         * @description The items that are compared, of tasks that ended between these moments.
         */
        DriftWindowOut: {
            /** Items */
            items: number;
            /** Since */
            since: string | null;
            /** Until */
            until: string | null;
        };
        /**
         * EntryError
         * @description Why an entry became no task; paths are those of POST /tasks, inside the entry.
         */
        EntryError: {
            /** Name */
            name: string;
            /** Retryable */
            retryable: boolean;
            /** Advice */
            advice: string | null;
            /** Fields */
            fields: components["schemas"]["ErrorField"][];
            /** Request Id */
            request_id: string;
            /** Code */
            code: number;
            /** Message */
            message: string;
        };
        /**
         * EntryMade
         * @description An entry that became a task.
         */
        EntryMade: {
            /** Index */
            index: number;
            /** Task Id */
            task_id: string;
        };
        /**
         * EntryRefused
         * @description An entry that did not.
         */
        EntryRefused: {
            /** Index */
            index: number;
            error: components["schemas"]["EntryError"];
        };
        /**
         * ErrorAnswer
         * @description The envelope of an error; `code` is the HTTP status × 100 + n.
         */
        ErrorAnswer: {
            /** Code */
            code: number;
            /** Message */
            message: string;
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * ErrorDetail
         * @description What went wrong, by a stable name.
         */
        ErrorDetail: {
            /** Name */
            name: string;
            /** Retryable */
            retryable: boolean;
            /** Advice */
            advice: string | null;
            /** Fields */
            fields: components["schemas"]["ErrorField"][];
            /** Request Id */
            request_id: string;
        };
        /**
         * ErrorField
         * @description One refused field: `path` is dotted, array indexes are numbers.
         */
        ErrorField: {
            /** Path */
            path: string;
            /** Code */
            code: string;
            /** Message */
            message: string;
        };
        /**
         * ExampleOut
         * @description Parameters that run as they are.
         */
        ExampleOut: {
            title: components["schemas"]["TitleOut"];
            /** Params */
            params: {
                [key: string]: unknown;
            };
        };
        /**
         * Facets
         * @description How many of the tasks that match there are of each.
         */
        Facets: {
            /** Status */
            status: {
                [key: string]: number;
            };
            /** Kind */
            kind: {
                [key: string]: number;
            };
            /** Platform */
            platform: {
                [key: string]: number;
            };
        };
        /**
         * FieldDriftOut
         * @description One field: the shares (0 to 1) of items that have it; `since` when it has dried up.
         */
        FieldDriftOut: {
            /** Field */
            field: string;
            /** Recent */
            recent: number | null;
            /** Before */
            before: number | null;
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "falling" | "dry" | "few";
            /** Since */
            since: string | null;
        };
        /**
         * HealthOut
         * @description Health; without a token it has only `status` and the states of the components.
         */
        HealthOut: {
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "degraded" | "down";
            /** Version */
            version?: string;
            /** Revision */
            revision?: string;
            /** Stale */
            stale?: boolean;
            /** Uptime S */
            uptime_s?: number;
            /** Pid */
            pid?: number;
            /** Memory Mode */
            memory_mode?: boolean;
            /** Components */
            components: components["schemas"]["Components"] | {
                [key: string]: components["schemas"]["StateOut"];
            };
        };
        /**
         * HeldOut
         * @description What this process holds right now.
         */
        HeldOut: {
            /** Tasks */
            tasks: string[];
            /** Requests */
            requests: number;
            /** Sockets */
            sockets: number;
            /** Children */
            children: number;
            /** Part Files */
            part_files: number;
        };
        /**
         * HistoryList
         * @description Every change of state, oldest first.
         */
        HistoryList: {
            /** Items */
            items: components["schemas"]["HistoryOut"][];
            /** Next Cursor */
            next_cursor: null;
        };
        /** HistoryOut */
        HistoryOut: {
            /** At */
            at: string;
            /** From */
            from: ("held" | "pending" | "running" | "waiting" | "cancelling" | "cancelled" | "succeeded" | "partial" | "failed" | "timed_out") | null;
            /**
             * To
             * @enum {string}
             */
            to: "held" | "pending" | "running" | "waiting" | "cancelling" | "cancelled" | "succeeded" | "partial" | "failed" | "timed_out";
            /** Reason */
            reason: string;
            /** Attempt */
            attempt: number;
            /** Worker Id */
            worker_id: string | null;
            /** By */
            by: string | null;
        };
        /**
         * ItemList
         * @description A page of items, in the order they were first seen.
         */
        ItemList: {
            /** Items */
            items: components["schemas"]["ItemOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * ItemOut
         * @description One found thing; `queries` are the keywords that found it.
         */
        ItemOut: {
            /** Id */
            id: string;
            /** Task Id */
            task_id: string;
            /** Platform */
            platform: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "page" | "post" | "comment" | "creator" | "media";
            /** Item Id */
            item_id: string;
            /** Parent Id */
            parent_id: string | null;
            /** Root Id */
            root_id: string | null;
            /** Url */
            url: string;
            /** Title */
            title: string | null;
            /** Text */
            text: string | null;
            /** Lang */
            lang: string | null;
            author: components["schemas"]["AuthorOut"] | null;
            /** Published At */
            published_at: string | null;
            metrics: components["schemas"]["MetricsOut"];
            /** Media */
            media: components["schemas"]["MediaOut"][];
            /** Tags */
            tags: string[];
            /** Queries */
            queries: string[];
            /** First Seen At */
            first_seen_at: string;
            /** Content Hash */
            content_hash: string;
            /** Source */
            source: string;
            /** Extra */
            extra: {
                [key: string]: unknown;
            };
        };
        /**
         * ItemsEventData
         * @description Of task.items: how many were added since the last one, and how many there are.
         */
        ItemsEventData: {
            /** Task Id */
            task_id: string;
            /** Added */
            added: number;
            /** Stored */
            stored: number;
        };
        /**
         * LimitsOut
         * @description How many of its tasks run at once, and the pause between requests.
         */
        LimitsOut: {
            /** Max Running */
            max_running: number | null;
            /** Min Interval S */
            min_interval_s: number | null;
        };
        /**
         * LiveOut
         * @description The loop turns.
         */
        LiveOut: {
            /**
             * Status
             * @constant
             */
            status: "ok";
        };
        /**
         * LogEventData
         * @description Of task.log.
         */
        LogEventData: {
            /** Task Id */
            task_id: string;
            /** Lines */
            lines: components["schemas"]["LogLineOut"][];
        };
        /**
         * LogLineOut
         * @description A line of a task's log.
         */
        LogLineOut: {
            /** Seq */
            seq: number;
            /** At */
            at: string;
            /**
             * Level
             * @enum {string}
             */
            level: "debug" | "info" | "warning" | "error";
            /** Message */
            message: string;
            /** Fields */
            fields: {
                [key: string]: unknown;
            };
        };
        /**
         * LogList
         * @description Lines in ascending order, and the first and last seq there are.
         */
        LogList: {
            /** Items */
            items: components["schemas"]["LogLineOut"][];
            /** Next Cursor */
            next_cursor: null;
            /** First Seq */
            first_seq: number | null;
            /** Last Seq */
            last_seq: number | null;
        };
        /**
         * LoggedOut
         * @description That the cookies are cleared.
         */
        LoggedOut: {
            /** Signed Out */
            signed_out: boolean;
        };
        /**
         * Login
         * @description A name with its password, or AUTH_TOKEN as `token`.
         */
        Login: {
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /**
             * Password
             * @default null
             */
            password?: string | null;
            /**
             * Token
             * Format: password
             * @default null
             */
            token?: string | null;
        };
        /**
         * LoginAnswer
         * @description Who has signed in, and what a write with the session's cookie needs as `X-XSRF-Token`; null where all is open.
         */
        LoginAnswer: {
            me: components["schemas"]["MeOut"];
            /** Xsrf Token */
            xsrf_token: string | null;
        };
        /**
         * LoginEnded
         * @description Whether a login was ended.
         */
        LoginEnded: {
            /** Login Id */
            login_id: string;
            /** Deleted */
            deleted: boolean;
        };
        /**
         * LoginOut
         * @description A login. `in_window`: the page is open in a window of the server's desk or of the user's own Chrome.
         */
        LoginOut: {
            /** Login Id */
            login_id: string;
            /** Platform */
            platform: string;
            /** Account Id */
            account_id: string | null;
            /** Label */
            label: string;
            /**
             * State
             * @enum {string}
             */
            state: "opening" | "waiting" | "done" | "failed" | "timed_out" | "cancelled";
            /** Message */
            message: string;
            /** In Window */
            in_window: boolean;
            /** Until */
            until: string;
            problem: components["schemas"]["ProblemOut"] | null;
        };
        /**
         * LoginPictureOut
         * @description What the login page shows: its QR code, or the whole of it; `data` is base64.
         */
        LoginPictureOut: {
            /**
             * Kind
             * @enum {string}
             */
            kind: "qr" | "page";
            /** Media Type */
            media_type: string;
            /** Data */
            data: string;
        };
        /**
         * LoginStart
         * @description Which account: its id or label, or none for the platform's default one. `label` is a new account's.
         */
        LoginStart: {
            /**
             * Account
             * @default null
             */
            account?: string | null;
            /**
             * Label
             * @default null
             */
            label?: string | null;
        };
        /**
         * MeOut
         * @description Who calls. `via`: open (nobody has to sign in) | token (AUTH_TOKEN) | user.
         */
        MeOut: {
            /** Name */
            name: string;
            /**
             * Role
             * @enum {string}
             */
            role: "admin" | "member";
            /** User Id */
            user_id: string | null;
            /**
             * Via
             * @enum {string}
             */
            via: "open" | "token" | "user";
            /**
             * Task Visibility
             * @enum {string}
             */
            task_visibility: "team" | "own";
            can: components["schemas"]["PermissionsOut"];
        };
        /**
         * MediaOut
         * @description A picture, video or sound of an item.
         */
        MediaOut: {
            /**
             * Type
             * @enum {string}
             */
            type: "image" | "video" | "audio";
            /** Url */
            url: string;
            /** Width */
            width: number | null;
            /** Height */
            height: number | null;
            /** Duration S */
            duration_s: number | null;
            /** Artifact Id */
            artifact_id: string | null;
        };
        /**
         * MetricsOut
         * @description Public counts, null where the source gives none.
         */
        MetricsOut: {
            /** Like */
            like: number | null;
            /** Comment */
            comment: number | null;
            /** Share */
            share: number | null;
            /** Save */
            save: number | null;
            /** View */
            view: number | null;
            /** Raw */
            raw?: {
                [key: string]: string;
            };
        };
        /**
         * NoticeOut
         * @description Something a person should know or do before the task can go on.
         */
        NoticeOut: {
            /** Code */
            code: string;
            /** Message */
            message: string;
            /** Action */
            action: string | null;
        };
        /**
         * OwnPassword
         * @description Another password for oneself.
         */
        OwnPassword: {
            /**
             * Current Password
             * Format: password
             */
            current_password: string;
            /**
             * Password
             * Format: password
             */
            password: string;
        };
        /**
         * PageList
         * @description A page of URLs, in the order they were found.
         */
        PageList: {
            /** Items */
            items: components["schemas"]["PageOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * PageOut
         * @description One URL of a crawl.
         */
        PageOut: {
            /** Url */
            url: string;
            /** Final Url */
            final_url: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "queued" | "in_flight" | "done" | "failed";
            /** Outcome */
            outcome: ("ok" | "empty" | "blocked" | "failed" | "skipped" | "aborted") | null;
            /** Reason */
            reason: string | null;
            /** Http Status */
            http_status: number | null;
            /** Depth */
            depth: number;
            /** Attempts */
            attempts: number;
            /** Size Bytes */
            size_bytes: number | null;
            /** Error */
            error: string | null;
            /** Fetched At */
            fetched_at: string | null;
            /** Item Id */
            item_id: string | null;
        };
        /**
         * PermissionsOut
         * @description What the server lets the caller do. Without `change_all_tasks` they change the tasks they made.
         */
        PermissionsOut: {
            /** Manage Users */
            manage_users: boolean;
            /** Read Audit */
            read_audit: boolean;
            /** Change All Tasks */
            change_all_tasks: boolean;
            /** Set Password */
            set_password: boolean;
            /** Make Tokens */
            make_tokens: boolean;
        };
        /**
         * PlatformList
         * @description Every platform there is.
         */
        PlatformList: {
            /** Items */
            items: components["schemas"]["PlatformOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * PlatformOut
         * @description A crawl platform or a generation provider.
         */
        PlatformOut: {
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "crawl" | "generate";
            title: components["schemas"]["TitleOut"];
            /** Icon */
            icon: string;
            /** Default Type */
            default_type: string;
            /** Types */
            types: components["schemas"]["TypeOut"][];
            /** Capabilities */
            capabilities: string[];
            limits: components["schemas"]["LimitsOut"];
            auth: components["schemas"]["AuthOut"];
            availability: components["schemas"]["AvailabilityOut"];
            /** Live Checked At */
            live_checked_at: string | null;
        };
        /**
         * ProblemOut
         * @description What is wrong, by a stable name.
         */
        ProblemOut: {
            /** Name */
            name: string;
            /** Message */
            message: string;
            /** Advice */
            advice: string | null;
        };
        /**
         * ProgressOut
         * @description How far a task is; `rate` is units per second, `eta_s` seconds to go.
         */
        ProgressOut: {
            /** Done */
            done: number;
            /** Total */
            total: number | null;
            /** Unit */
            unit: string;
            /** Rate */
            rate: number | null;
            /** Eta S */
            eta_s: number | null;
            /**
             * Stage
             * @enum {string}
             */
            stage: "queued" | "start" | "fetch" | "store" | "submit" | "poll" | "download" | "render" | "needs_person" | "done";
        };
        /**
         * Purged
         * @description A task that is gone.
         */
        Purged: {
            /** Task Id */
            task_id: string;
            /**
             * Purged
             * @constant
             */
            purged: true;
        };
        /**
         * ReadyOut
         * @description Whether requests are served.
         */
        ReadyOut: {
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "degraded" | "down" | "starting" | "draining";
        };
        /**
         * ReleasedOut
         * @description What a cancelled run let go of.
         */
        ReleasedOut: {
            /** Tasks */
            tasks: number;
            /** Connections */
            connections: number;
            /** Children */
            children: number;
            /** Files */
            files: number;
        };
        /**
         * ResyncEventData
         * @description Of resync: read anew, then go on from `stream_cursor` (null while there is none).
         */
        ResyncEventData: {
            /**
             * Reason
             * @enum {string}
             */
            reason: "cursor_too_old" | "unknown_cursor" | "slow_reader" | "flushed";
            /** Stream Cursor */
            stream_cursor: string | null;
        };
        /**
         * RetentionDiskOut
         * @description The disk of DATA_DIR.
         */
        RetentionDiskOut: {
            /** Total Bytes */
            total_bytes: number;
            /** Free Bytes */
            free_bytes: number;
        };
        /**
         * RetentionOut
         * @description The rules of RETENTION_DAYS; without any, nothing is ever purged by itself.
         */
        RetentionOut: {
            /** Rules */
            rules: components["schemas"]["RetentionRuleOut"][];
            disk: components["schemas"]["RetentionDiskOut"];
        };
        /**
         * RetentionRuleOut
         * @description A rule, and what would go by it now; `kind` and `status` may be `all`.
         *
         *     `files` and `size_bytes` are at most so many: a file that another task names stays. `is_capped`: of more than 10,000
         *     tasks the oldest 10,000 are counted.
         */
        RetentionRuleOut: {
            /** Kind */
            kind: string;
            /** Status */
            status: string;
            /** Days */
            days: number;
            /** Before */
            before: string;
            /** Tasks */
            tasks: number;
            /** Items */
            items: number;
            /** Files */
            files: number;
            /** Size Bytes */
            size_bytes: number;
            /** Is Capped */
            is_capped: boolean;
        };
        /**
         * RunnerOut
         * @description What runs tasks.
         */
        RunnerOut: {
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "degraded" | "down" | "off";
            /** Latency Ms */
            latency_ms: number | null;
            /** Since */
            since: string | null;
            /** Advice */
            advice: string | null;
            /** Running */
            running: number | null;
            /** Pending */
            pending: number | null;
            /** Slots */
            slots: number | null;
            /** Loop Lag Ms */
            loop_lag_ms: number;
        };
        /**
         * SetCancelledOut
         * @description `matched` tasks were not final: `cancelled` of them have ended, the `cancelling` ones have been told.
         */
        SetCancelledOut: {
            /** Matched */
            matched: number;
            /** Cancelled */
            cancelled: number;
            /** Cancelling */
            cancelling: number;
        };
        /**
         * ShutdownOut
         * @description The server is leaving; after `grace_s` seconds at most its process has ended.
         */
        ShutdownOut: {
            /** Pid */
            pid: number;
            /**
             * Stopping
             * @constant
             */
            stopping: true;
            /** Grace S */
            grace_s: number;
        };
        /**
         * SlotsOut
         * @description How many tasks run here at once.
         */
        SlotsOut: {
            /** Total */
            total: number | null;
            /** Used */
            used: number | null;
            /** Pending */
            pending: number | null;
        };
        /**
         * StateOut
         * @description All that is said without a token.
         */
        StateOut: {
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "degraded" | "down" | "off";
        };
        /**
         * StoreOut
         * @description A store; embedded ones are children of this server.
         */
        StoreOut: {
            /**
             * State
             * @enum {string}
             */
            state: "ok" | "degraded" | "down" | "off";
            /** Latency Ms */
            latency_ms: number | null;
            /** Since */
            since: string | null;
            /** Advice */
            advice: string | null;
            /** Is Embedded */
            is_embedded: boolean;
        };
        /**
         * SystemEventData
         * @description Of system; each count goes to 1,000 at most.
         */
        SystemEventData: {
            /** Running */
            running: number;
            /** Pending */
            pending: number;
            /** Waiting */
            waiting: number;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "degraded" | "down";
            /** Version */
            version: string;
        };
        /**
         * SystemOut
         * @description The server from inside.
         */
        SystemOut: {
            /** Version */
            version: string;
            /** Revision */
            revision: string;
            /** Stale */
            stale: boolean;
            /** Uptime S */
            uptime_s: number;
            /** Loop Lag Ms */
            loop_lag_ms: number;
            slots: components["schemas"]["SlotsOut"];
            /** Stores */
            stores: {
                [key: string]: components["schemas"]["StoreOut"];
            };
            disk: components["schemas"]["DiskOut"];
            browser: components["schemas"]["BrowserOut"];
            live: components["schemas"]["HeldOut"];
        };
        /**
         * TaskBulk
         * @description Tasks to be made together. Each is checked by itself, in either form of POST /tasks.
         */
        TaskBulk: {
            /**
             * Batch Title
             * @default null
             */
            batch_title?: string | null;
            /** Tasks */
            tasks: {
                /**
                 * Platform
                 * @description Id of a crawl platform or of a generation provider
                 */
                platform: string;
                /**
                 * Kind
                 * @description Follows from the platform
                 * @default null
                 */
                kind?: ("crawl" | "generate") | null;
                /**
                 * Type
                 * @description The platform's default_type when left out
                 * @default null
                 */
                type?: string | null;
                /**
                 * Params
                 * @description Checked by the schema of platform and type
                 */
                params?: {
                    [key: string]: unknown;
                };
                /**
                 * Title
                 * @default null
                 */
                title?: string | null;
                /** Labels */
                labels?: string[];
                /**
                 * Priority
                 * @description 4 goes first
                 * @default 0
                 */
                priority?: number;
                /**
                 * Run At
                 * @description Not before this time
                 * @default null
                 */
                run_at?: string | null;
                /**
                 * Start
                 * @default null
                 */
                start?: ("now" | "manual") | null;
                /**
                 * Max Attempts
                 * @default null
                 */
                max_attempts?: number | null;
                /**
                 * Deadline S
                 * @default null
                 */
                deadline_s?: number | null;
            }[];
        };
        /**
         * TaskCreate
         * @description A task to be made. Short form: leave `params` out, and every other name is a parameter.
         */
        TaskCreate: {
            /**
             * Platform
             * @description Id of a crawl platform or of a generation provider
             */
            platform: string;
            /**
             * Kind
             * @description Follows from the platform
             * @default null
             */
            kind?: ("crawl" | "generate") | null;
            /**
             * Type
             * @description The platform's default_type when left out
             * @default null
             */
            type?: string | null;
            /**
             * Params
             * @description Checked by the schema of platform and type
             */
            params?: {
                [key: string]: unknown;
            };
            /**
             * Title
             * @default null
             */
            title?: string | null;
            /** Labels */
            labels?: string[];
            /**
             * Priority
             * @description 4 goes first
             * @default 0
             */
            priority?: number;
            /**
             * Run At
             * @description Not before this time
             * @default null
             */
            run_at?: string | null;
            /**
             * Start
             * @default null
             */
            start?: ("now" | "manual") | null;
            /**
             * Max Attempts
             * @default null
             */
            max_attempts?: number | null;
            /**
             * Deadline S
             * @default null
             */
            deadline_s?: number | null;
        };
        /**
         * TaskErrorOut
         * @description Why a task failed.
         */
        TaskErrorOut: {
            /** Name */
            name: string;
            /** Message */
            message: string;
            /** Advice */
            advice: string | null;
            /** Retryable */
            retryable: boolean;
            /** At */
            at: string;
            /** Where */
            where: string;
            /** Url */
            url: string | null;
        };
        /**
         * TaskEventData
         * @description Of task.created and task.updated; `final` is true once per task, in its last event.
         */
        TaskEventData: {
            task: components["schemas"]["TaskSummary"];
            /** Final */
            final: boolean;
        };
        /**
         * TaskList
         * @description A page of tasks; `total` counts to 1,000 at most, `stream_cursor` is null while there is no stream.
         */
        TaskList: {
            /** Items */
            items: components["schemas"]["TaskSummary"][];
            /** Next Cursor */
            next_cursor: string | null;
            /** Total */
            total: number;
            /** Total Is Capped */
            total_is_capped: boolean;
            /** Stream Cursor */
            stream_cursor: string | null;
            facets?: components["schemas"]["Facets"];
        };
        /**
         * TaskRecord
         * @description The whole record of a task.
         */
        TaskRecord: {
            cancel: components["schemas"]["CancelOut"] | null;
            /** Cancel Latency Ms */
            cancel_latency_ms: number | null;
            upstream: components["schemas"]["UpstreamOut"] | null;
            cost: components["schemas"]["CostOut"] | null;
            error: components["schemas"]["TaskErrorOut"] | null;
            /** Task Id */
            task_id: string;
            /** Version */
            version: number;
            /**
             * Kind
             * @enum {string}
             */
            kind: "crawl" | "generate";
            /** Platform */
            platform: string;
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** Labels */
            labels: string[];
            /** Batch Id */
            batch_id: string | null;
            /** Schedule Id */
            schedule_id: string | null;
            /** Retry Of */
            retry_of: string | null;
            /** Created By */
            created_by: string;
            /**
             * Status
             * @enum {string}
             */
            status: "held" | "pending" | "running" | "waiting" | "cancelling" | "cancelled" | "succeeded" | "partial" | "failed" | "timed_out";
            /** Is Final */
            is_final: boolean;
            /** Message */
            message: string | null;
            notice: components["schemas"]["NoticeOut"] | null;
            /** Priority */
            priority: number;
            /** Attempt */
            attempt: number;
            /** Max Attempts */
            max_attempts: number;
            /** Dead */
            dead: boolean;
            /** Deadline S */
            deadline_s: number;
            /** Worker Id */
            worker_id: string | null;
            /** Created At */
            created_at: string;
            /** Updated At */
            updated_at: string;
            /** Run At */
            run_at: string;
            /** Started At */
            started_at: string | null;
            /** Ended At */
            ended_at: string | null;
            progress: components["schemas"]["ProgressOut"];
            books: components["schemas"]["BooksOut"];
            /** Params */
            params: {
                [key: string]: unknown;
            };
            /** Ignored */
            ignored: string[];
            /** Artifacts */
            artifacts: components["schemas"]["ArtifactOut"][];
            checkpoint: components["schemas"]["CheckpointOut"] | null;
            /** History */
            history: components["schemas"]["HistoryOut"][];
        };
        /**
         * TaskSummary
         * @description A task in a list.
         */
        TaskSummary: {
            cancel: components["schemas"]["CancelOut"] | null;
            /** Cancel Latency Ms */
            cancel_latency_ms: number | null;
            upstream: components["schemas"]["UpstreamOut"] | null;
            cost: components["schemas"]["CostOut"] | null;
            error: components["schemas"]["TaskErrorOut"] | null;
            /** Task Id */
            task_id: string;
            /** Version */
            version: number;
            /**
             * Kind
             * @enum {string}
             */
            kind: "crawl" | "generate";
            /** Platform */
            platform: string;
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** Labels */
            labels: string[];
            /** Batch Id */
            batch_id: string | null;
            /** Schedule Id */
            schedule_id: string | null;
            /** Retry Of */
            retry_of: string | null;
            /** Created By */
            created_by: string;
            /**
             * Status
             * @enum {string}
             */
            status: "held" | "pending" | "running" | "waiting" | "cancelling" | "cancelled" | "succeeded" | "partial" | "failed" | "timed_out";
            /** Is Final */
            is_final: boolean;
            /** Message */
            message: string | null;
            notice: components["schemas"]["NoticeOut"] | null;
            /** Priority */
            priority: number;
            /** Attempt */
            attempt: number;
            /** Max Attempts */
            max_attempts: number;
            /** Dead */
            dead: boolean;
            /** Deadline S */
            deadline_s: number;
            /** Worker Id */
            worker_id: string | null;
            /** Created At */
            created_at: string;
            /** Updated At */
            updated_at: string;
            /** Run At */
            run_at: string;
            /** Started At */
            started_at: string | null;
            /** Ended At */
            ended_at: string | null;
            progress: components["schemas"]["ProgressOut"];
            books: components["schemas"]["BooksOut"];
        };
        /**
         * TitleOut
         * @description Words in both languages: the reader chooses.
         */
        TitleOut: {
            /** Zh */
            zh: string;
            /** En */
            en: string;
        };
        /**
         * TokenCreate
         * @description A new token, and what it is for.
         */
        TokenCreate: {
            /** Label */
            label: string;
        };
        /**
         * TokenDeleted
         * @description A token that is no more.
         */
        TokenDeleted: {
            /** Token Id */
            token_id: string;
            /** Deleted */
            deleted: boolean;
        };
        /**
         * TokenList
         * @description The caller's tokens, oldest first.
         */
        TokenList: {
            /** Items */
            items: components["schemas"]["TokenOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * TokenMade
         * @description A new token; `token` is shown this once.
         */
        TokenMade: {
            /** Token Id */
            token_id: string;
            /** Label */
            label: string;
            /** Last Four */
            last_four: string;
            /** Created By */
            created_by: string;
            /** Created At */
            created_at: string;
            /** Token */
            token: string;
        };
        /**
         * TokenOut
         * @description A token, as it is shown later.
         */
        TokenOut: {
            /** Token Id */
            token_id: string;
            /** Label */
            label: string;
            /** Last Four */
            last_four: string;
            /** Created By */
            created_by: string;
            /** Created At */
            created_at: string;
        };
        /**
         * TypeOut
         * @description One thing a platform can do; `schema` is the JSON Schema of its params.
         */
        TypeOut: {
            /** Id */
            id: string;
            title: components["schemas"]["TitleOut"];
            /** Schema */
            schema: {
                [key: string]: unknown;
            };
            /** Defaults */
            defaults: {
                [key: string]: unknown;
            };
            /** Examples */
            examples: components["schemas"]["ExampleOut"][];
        };
        /**
         * UpstreamOut
         * @description A provider's job.
         */
        UpstreamOut: {
            /** Job Id */
            job_id: string | null;
            /** Status */
            status: string | null;
            /** Submits */
            submits: number;
            /** Cancel */
            cancel: ("confirmed" | "refused" | "unsupported" | "unknown") | null;
            /** May Bill */
            may_bill: boolean;
        };
        /**
         * UserChange
         * @description What is to be other than it is. Disabling, and another password, end the user's sessions.
         */
        UserChange: {
            /**
             * Role
             * @default null
             */
            role?: ("admin" | "member") | null;
            /**
             * Is Disabled
             * @default null
             */
            is_disabled?: boolean | null;
            /**
             * Password
             * @default null
             */
            password?: string | null;
        };
        /**
         * UserCreate
         * @description A new user; the first one is an admin, later ones are members unless told otherwise.
         */
        UserCreate: {
            /**
             * Name
             * @description 1 to 32 letters, digits or _ . @ -; it is never given to another
             */
            name: string;
            /**
             * Password
             * Format: password
             */
            password: string;
            /**
             * Role
             * @default null
             */
            role?: ("admin" | "member") | null;
        };
        /**
         * UserDeleted
         * @description A user that is no more.
         */
        UserDeleted: {
            /** User Id */
            user_id: string;
            /** Deleted */
            deleted: boolean;
        };
        /**
         * UserEventOut
         * @description Who did what.
         */
        UserEventOut: {
            /** At */
            at: string;
            /** What */
            what: string;
            /** By */
            by: string;
        };
        /**
         * UserList
         * @description Every user, oldest first.
         */
        UserList: {
            /** Items */
            items: components["schemas"]["UserOut"][];
            /** Next Cursor */
            next_cursor: string | null;
        };
        /**
         * UserOut
         * @description A user. `history` is empty in a list.
         */
        UserOut: {
            /** User Id */
            user_id: string;
            /** Name */
            name: string;
            /**
             * Role
             * @enum {string}
             */
            role: "admin" | "member";
            /** Is Disabled */
            is_disabled: boolean;
            /** Created By */
            created_by: string;
            /** Created At */
            created_at: string;
            /** Updated At */
            updated_at: string;
            /** Last Login At */
            last_login_at: string | null;
            /** History */
            history: components["schemas"]["UserEventOut"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    get_tasks: {
        parameters: {
            query?: {
                status?: ("active" | "held" | "pending" | "running" | "waiting" | "cancelling" | "cancelled" | "succeeded" | "partial" | "failed" | "timed_out")[];
                kind?: ("crawl" | "generate") | null;
                platform?: string | null;
                type?: string | null;
                q?: string | null;
                ids?: string[];
                batch_id?: string | null;
                label?: string | null;
                created_by?: string | null;
                created_from?: string | null;
                created_to?: string | null;
                schedule_id?: string | null;
                sort?: "created_at" | "-created_at" | "updated_at" | "-updated_at" | "priority" | "-priority";
                cursor?: string | null;
                limit?: number;
                facets?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskList"];
                    };
                };
            };
            /** @description 40002 BAD_CURSOR */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_tasks: {
        parameters: {
            query?: {
                require_available?: boolean;
            };
            header?: {
                /** @description The same key and body return the first task; another body is 409 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskCreate"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description true when the task was there already */
                    "Idempotent-Replay"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskRecord"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40902 IDEMPOTENCY_CONFLICT, 40903 PLATFORM_UNAVAILABLE */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED, 42202 UNKNOWN_PLATFORM, 42203 UNKNOWN_TYPE */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    delete_tasks: {
        parameters: {
            query?: {
                status?: ("active" | "held" | "pending" | "running" | "waiting" | "cancelling" | "cancelled" | "succeeded" | "partial" | "failed" | "timed_out")[];
                kind?: ("crawl" | "generate") | null;
                platform?: string | null;
                type?: string | null;
                q?: string | null;
                ids?: string[];
                batch_id?: string | null;
                label?: string | null;
                created_by?: string | null;
                created_from?: string | null;
                created_to?: string | null;
                schedule_id?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["SetCancelledOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED, 42204 FILTER_REQUIRED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_tasks_bulk: {
        parameters: {
            query?: {
                require_available?: boolean;
            };
            header?: {
                /** @description Of the whole call: the same key and body return the first tasks */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskBulk"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description true when all the tasks were there already */
                    "Idempotent-Replay"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["BatchOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40902 IDEMPOTENCY_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id: {
        parameters: {
            query?: {
                wait?: number;
                until?: "final" | "changed";
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskRecord"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    delete_tasks_task_id: {
        parameters: {
            query?: {
                wait?: number;
                purge?: boolean;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskRecord"] | components["schemas"]["Purged"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_tasks_task_id_start: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskRecord"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_tasks_task_id_resume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskRecord"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_tasks_task_id_retry: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TaskRecord"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_artifacts: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["ArtifactList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_logs: {
        parameters: {
            query?: {
                after?: number | null;
                before?: number | null;
                limit?: number;
                level?: "debug" | "info" | "warning" | "error";
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["LogList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_history: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["HistoryList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_challenge: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["ChallengeOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND, 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_challenge_picture: {
        parameters: {
            query?: {
                v?: string;
            };
            header?: never;
            path: {
                task_id: string;
                picture: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "image/*": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND, 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_items: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
                raw?: boolean;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["ItemList"];
                    };
                };
            };
            /** @description 40002 BAD_CURSOR */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_pages: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
                state?: ("queued" | "in_flight" | "done" | "failed") | null;
                outcome?: ("ok" | "empty" | "blocked" | "failed" | "skipped" | "aborted") | null;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["PageList"];
                    };
                };
            };
            /** @description 40002 BAD_CURSOR */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tasks_task_id_export: {
        parameters: {
            query: {
                format: "json" | "jsonl" | "csv" | "xlsx";
                columns?: string[];
                distinct?: boolean;
                tz?: string;
                lang?: ("zh" | "en") | null;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file, chunked; a connection that ends before the last chunk means that it failed */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The name of the file */
                    "Content-Disposition"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    head_tasks_task_id_export: {
        parameters: {
            query: {
                format: "json" | "jsonl" | "csv" | "xlsx";
                columns?: string[];
                distinct?: boolean;
                tz?: string;
                lang?: ("zh" | "en") | null;
            };
            header?: never;
            path: {
                task_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file, chunked; a connection that ends before the last chunk means that it failed */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The name of the file */
                    "Content-Disposition"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_items_export: {
        parameters: {
            query: {
                format: "json" | "jsonl" | "csv" | "xlsx";
                columns?: string[];
                distinct?: boolean;
                tz?: string;
                lang?: ("zh" | "en") | null;
                q?: string | null;
                platform?: string | null;
                kind?: ("page" | "post" | "comment" | "creator" | "media") | null;
                task_id?: string | null;
                batch_id?: string | null;
                label?: string | null;
                from?: string | null;
                to?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file, chunked; a connection that ends before the last chunk means that it failed */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The name of the file */
                    "Content-Disposition"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    head_items_export: {
        parameters: {
            query: {
                format: "json" | "jsonl" | "csv" | "xlsx";
                columns?: string[];
                distinct?: boolean;
                tz?: string;
                lang?: ("zh" | "en") | null;
                q?: string | null;
                platform?: string | null;
                kind?: ("page" | "post" | "comment" | "creator" | "media") | null;
                task_id?: string | null;
                batch_id?: string | null;
                label?: string | null;
                from?: string | null;
                to?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file, chunked; a connection that ends before the last chunk means that it failed */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The name of the file */
                    "Content-Disposition"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_artifacts_artifact_id: {
        parameters: {
            query?: {
                download?: boolean;
            };
            header?: {
                /** @description One range of bytes */
                Range?: string;
                /** @description The ETag the range belongs to */
                "If-Range"?: string;
            };
            path: {
                artifact_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The SHA-256 of the file */
                    ETag?: string;
                    /** @description With 206 */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The range */
            206: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The SHA-256 of the file */
                    ETag?: string;
                    /** @description With 206 */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description Not changed */
            304: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The SHA-256 of the file */
                    ETag?: string;
                    /** @description With 206 */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41601 RANGE_INVALID */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    head_artifacts_artifact_id: {
        parameters: {
            query?: {
                download?: boolean;
            };
            header?: {
                /** @description One range of bytes */
                Range?: string;
                /** @description The ETag the range belongs to */
                "If-Range"?: string;
            };
            path: {
                artifact_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The SHA-256 of the file */
                    ETag?: string;
                    /** @description With 206 */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description The range */
            206: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The SHA-256 of the file */
                    ETag?: string;
                    /** @description With 206 */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description Not changed */
            304: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    /** @description The SHA-256 of the file */
                    ETag?: string;
                    /** @description With 206 */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41601 RANGE_INVALID */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_platforms: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["PlatformList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_platforms_platform_id_drift: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                platform_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["DriftOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_accounts: {
        parameters: {
            query?: {
                platform?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AccountList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_accounts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountCreate"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AccountOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT, 40904 NAME_TAKEN */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_accounts_account_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                account_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AccountOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    delete_accounts_account_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                account_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AccountDeleted"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    patch_accounts_account_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                account_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AccountOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT, 40904 NAME_TAKEN */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_accounts_account_id_check: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                account_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AccountChecked"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT, 40903 PLATFORM_UNAVAILABLE */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_accounts_platform_login: {
        parameters: {
            query?: {
                account?: string | null;
            };
            header?: never;
            path: {
                platform: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["LoginOut"] | components["schemas"]["LoginPictureOut"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_accounts_platform_login: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                platform: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginStart"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["LoginOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT, 40903 PLATFORM_UNAVAILABLE */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    delete_accounts_platform_login: {
        parameters: {
            query?: {
                account?: string | null;
            };
            header?: never;
            path: {
                platform: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["LoginEnded"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["LoginAnswer"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["LoggedOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_users: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["UserList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_users: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserCreate"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["UserOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT, 40904 NAME_TAKEN */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_users_user_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["UserOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    delete_users_user_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["UserDeleted"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    patch_users_user_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["UserOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40901 STATE_CONFLICT */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["MeOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    patch_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OwnPassword"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["UserOut"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_audit: {
        parameters: {
            query?: {
                by?: string | null;
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["AuditList"];
                    };
                };
            };
            /** @description 40002 BAD_CURSOR */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TokenList"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenCreate"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TokenMade"];
                    };
                };
            };
            /** @description 40001 BAD_JSON, 40003 NOT_UTF8 */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41301 BODY_TOO_LARGE */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 41501 CONTENT_TYPE */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    delete_tokens_token_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["TokenDeleted"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40402 NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_system: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["SystemOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    post_system_shutdown: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["ShutdownOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED, 40303 FORBIDDEN, 40304 XSRF_FAILED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description ok or degraded */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthOut"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description down */
            503: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthOut"];
                };
            };
        };
    };
    get_health_live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LiveOut"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_health_ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description ready */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadyOut"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description starting, draining or down */
            503: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadyOut"];
                };
            };
        };
    };
    get_openapi_json: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_docs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_system_retention: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        code: 0;
                        message: string;
                        data: components["schemas"]["RetentionOut"];
                    };
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    get_stream: {
        parameters: {
            query?: {
                topics?: string[];
                after?: string | null;
            };
            header?: {
                /** @description As `after`, and before it; a browser sends it when it connects again */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    /** @description The id of the request */
                    "X-Request-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["TaskEventData"] | components["schemas"]["LogEventData"] | components["schemas"]["ItemsEventData"] | components["schemas"]["SystemEventData"] | components["schemas"]["ResyncEventData"];
                };
            };
            /** @description 40101 AUTH_REQUIRED */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40301 HOST_REFUSED, 40302 ORIGIN_REFUSED */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 40401 TASK_NOT_FOUND */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42201 VALIDATION_FAILED */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 42901 RATE_LIMITED */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50001 INTERNAL */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description 50301 STORE_UNAVAILABLE, 50302 SHUTTING_DOWN */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
}
