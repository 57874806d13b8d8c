package wevt

// What is used of wevtapi.dll (winevt.h). The DLL is loaded from the system's folder, when it is first called.

//sys	evtQuery(session handle, path *uint16, query *uint16, flags uint32) (h handle, err error) = wevtapi.EvtQuery
//sys	evtNext(results handle, size uint32, events *handle, timeout uint32, flags uint32, returned *uint32) (err error) = wevtapi.EvtNext
//sys	evtSeek(results handle, position int64, bookmark handle, timeout uint32, flags uint32) (err error) = wevtapi.EvtSeek
//sys	evtRender(context handle, fragment handle, flags uint32, size uint32, buffer *uint16, used *uint32, properties *uint32) (err error) = wevtapi.EvtRender
//sys	evtClose(object handle) (err error) = wevtapi.EvtClose
//sys	evtCreateBookmark(xml *uint16) (h handle, err error) = wevtapi.EvtCreateBookmark
//sys	evtOpenLog(session handle, path *uint16, flags uint32) (h handle, err error) = wevtapi.EvtOpenLog
//sys	evtGetLogInfo(log handle, property uint32, size uint32, value *variant, used *uint32) (err error) = wevtapi.EvtGetLogInfo
//sys	evtOpenPublisherMetadata(session handle, publisher *uint16, file *uint16, locale uint32, flags uint32) (h handle, err error) = wevtapi.EvtOpenPublisherMetadata
//sys	evtFormatMessage(publisher handle, event handle, id uint32, count uint32, values *variant, flags uint32, size uint32, buffer *uint16, used *uint32) (err error) = wevtapi.EvtFormatMessage

// handle is an EVT_HANDLE.
type handle uintptr

// variant is an EVT_VARIANT of a number.
type variant struct {
	value uint64
	count uint32
	kind  uint32
}

// The flags and properties that are used, and the kind of a variant that is an UInt64.
const (
	queryChannelPath    = 0x1
	queryForward        = 0x100
	queryReverse        = 0x200
	seekToBookmark      = 0x4
	seekStrict          = 0x10000
	renderEventXML      = 1
	openChannelPath     = 0x1
	logNumberOfRecords  = 5
	logOldestRecord     = 6
	variantUInt64       = 10
	formatMessageEvent  = 1
	formatMessageKeys   = 5
	waitForEver         = 0xffffffff
	maxEventInUTF16     = 16 << 20 // Windows bounds an event to 64 KiB of data; as XML it is some times that
	maxMessageInUTF16   = 1 << 20
	firstBufferInUTF16  = 8 << 10
	firstMessageInUTF16 = 2 << 10
)
