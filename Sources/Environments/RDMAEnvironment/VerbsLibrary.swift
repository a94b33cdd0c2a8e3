import CVerbs
import Glibc

/// The entry points of libibverbs that the environment uses, found when the library is opened.
///
/// The library is opened at run time, so that everything else works where it is not installed. The
/// calls of the data path (`ibv_post_send`, `ibv_post_recv`, `ibv_poll_cq`, `ibv_req_notify_cq`) are
/// inline and go through the device's own table of functions.
struct VerbsLibrary: Sendable {
    typealias Context = UnsafeMutablePointer<ibv_context>
    typealias Device = UnsafeMutablePointer<ibv_device>
    typealias Domain = UnsafeMutablePointer<ibv_pd>
    typealias Region = UnsafeMutablePointer<ibv_mr>
    typealias Channel = UnsafeMutablePointer<ibv_comp_channel>
    typealias Completions = UnsafeMutablePointer<ibv_cq>
    typealias Pair = UnsafeMutablePointer<ibv_qp>

    let getDeviceList:
        @convention(c) (UnsafeMutablePointer<Int32>?) -> UnsafeMutablePointer<Device?>?
    let freeDeviceList: @convention(c) (UnsafeMutablePointer<Device?>?) -> Void
    let getDeviceName: @convention(c) (Device?) -> UnsafePointer<CChar>?
    let openDevice: @convention(c) (Device?) -> Context?
    let closeDevice: @convention(c) (Context?) -> Int32
    let queryPort: @convention(c) (Context?, UInt8, UnsafeMutablePointer<ibv_port_attr>?) -> Int32
    let queryGID: @convention(c) (Context?, UInt8, Int32, UnsafeMutablePointer<ibv_gid>?) -> Int32
    let allocateDomain: @convention(c) (Context?) -> Domain?
    let freeDomain: @convention(c) (Domain?) -> Int32
    let registerMemory: @convention(c) (Domain?, UnsafeMutableRawPointer?, Int, Int32) -> Region?
    let deregisterMemory: @convention(c) (Region?) -> Int32
    let createChannel: @convention(c) (Context?) -> Channel?
    let destroyChannel: @convention(c) (Channel?) -> Int32
    let createCompletions:
        @convention(c) (Context?, Int32, UnsafeMutableRawPointer?, Channel?, Int32) -> Completions?
    let destroyCompletions: @convention(c) (Completions?) -> Int32
    let getCompletionEvent:
        @convention(c) (
            Channel?, UnsafeMutablePointer<Completions?>?,
            UnsafeMutablePointer<UnsafeMutableRawPointer?>?
        ) -> Int32
    let acknowledgeCompletionEvents: @convention(c) (Completions?, UInt32) -> Void
    let createPair: @convention(c) (Domain?, UnsafeMutablePointer<ibv_qp_init_attr>?) -> Pair?
    let modifyPair: @convention(c) (Pair?, UnsafeMutablePointer<ibv_qp_attr>?, Int32) -> Int32
    let destroyPair: @convention(c) (Pair?) -> Int32
    let getAsyncEvent: @convention(c) (Context?, UnsafeMutablePointer<ibv_async_event>?) -> Int32
    let acknowledgeAsyncEvent: @convention(c) (UnsafeMutablePointer<ibv_async_event>?) -> Void

    /// The library of this machine; `nil` where there is none. Opened once and kept.
    static let shared: VerbsLibrary? = open()

    private struct Missing: Error {}

    private static func open() -> VerbsLibrary? {
        guard let handle = dlopen("libibverbs.so.1", RTLD_NOW | RTLD_LOCAL) else { return nil }
        return try? VerbsLibrary { dlsym(handle, $0) }
    }

    /// Throws when an entry point is missing.
    private init(_ find: (String) -> UnsafeMutableRawPointer?) throws {
        /// A function pointer has no Swift type of its own until the property gives it one.
        func entry<Function>(_ name: String) throws -> Function {
            guard let address = find(name) else { throw Missing() }
            return unsafeBitCast(address, to: Function.self)
        }
        getDeviceList = try entry("ibv_get_device_list")
        freeDeviceList = try entry("ibv_free_device_list")
        getDeviceName = try entry("ibv_get_device_name")
        openDevice = try entry("ibv_open_device")
        closeDevice = try entry("ibv_close_device")
        queryPort = try entry("ibv_query_port")
        queryGID = try entry("ibv_query_gid")
        allocateDomain = try entry("ibv_alloc_pd")
        freeDomain = try entry("ibv_dealloc_pd")
        registerMemory = try entry("ibv_reg_mr")
        deregisterMemory = try entry("ibv_dereg_mr")
        createChannel = try entry("ibv_create_comp_channel")
        destroyChannel = try entry("ibv_destroy_comp_channel")
        createCompletions = try entry("ibv_create_cq")
        destroyCompletions = try entry("ibv_destroy_cq")
        getCompletionEvent = try entry("ibv_get_cq_event")
        acknowledgeCompletionEvents = try entry("ibv_ack_cq_events")
        createPair = try entry("ibv_create_qp")
        modifyPair = try entry("ibv_modify_qp")
        destroyPair = try entry("ibv_destroy_qp")
        getAsyncEvent = try entry("ibv_get_async_event")
        acknowledgeAsyncEvent = try entry("ibv_ack_async_event")
    }
}
